"""What checkpoints cost a training, written beside it or by it, at the default interval of 200 steps.

The training is a shipped one: alignment by the I2I objective on a dilated ResNet-34 with Adam, on random images far
smaller than its own, so that the share of time is more than a real training's. Ours is `Training.save` as `fit` calls
it: the training thread copies, a thread beside it hashes, writes and flushes. Its cost is the time that the call takes,
and the time by which the steps are slower that are made until the thread is done. The alternative does all of it before
the next step. Both write the same bytes into the same folder, taking turns; medians are compared.

Run:  python -m tools.bench.checkpoints [--json FILE] [--rounds 3] [--size 64] [--batch 1] [--folder DISK]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from pipelines import pipeline as pipelines
from pipelines import training as stages
from pipelines.stage import AdaptingConfig, Runtime
from segda.batch import Batch, DomainBatch
from segda.engine import optimizers
from segda.engine.beside import Beside
from segda.engine.session import Session
from segda.engine.training import Training
from segda.objectives import objective as objectives
from segda.objectives.objective import Objective
from tools.bench import figure
from tools.bench.figure import Figure

PART = "checkpoints"
PIPELINE, STAGE = "gta5_to_cityscapes_i2i", "i2i"
EVERY = Runtime().save_every
MOST = 1.0
PLAIN_STEPS = 2
"""Steps without a checkpoint in each round."""


class Round(NamedTuple):
    """Seconds: of one step, of both calls, and by which all steps beside the writing were slower together."""

    step: float
    beside: float
    slower: float
    waiting: float


def made(config: AdaptingConfig, device: torch.device) -> Training:
    """A stage's networks with random parameters, its terms and its optimizers."""
    networks = stages.drawn(config, config.method)
    for network in networks.modules.values():
        network.to(device)
    terms, task = objectives.build(config.method.terms), stages.task_of(config.task)
    objective = Objective(terms, networks, task, seed=0)
    players = objective.players()
    first, second = (config.optimizer.model_dump(), config.discriminator_optimizer.model_dump())
    return Training(
        objective,
        networks.modules,
        dict(networks.modules),
        optimizers.build(networks.modules, players[0], **first),
        optimizers.build(networks.modules, players[1], **second),
    )


def batches(number: int, size: int, classes: int, device: torch.device) -> Iterator[Batch]:
    """The same random batch again and again."""
    image = torch.rand(number, 3, size, size, device=device) * 2 - 1
    label = torch.randint(classes, (number, size, size), device=device)
    names, places = [str(place) for place in range(number)], torch.arange(number)
    batch = Batch(DomainBatch(image, label, places, names), DomainBatch(image.flip(3), None, places, names))
    while True:
        yield batch


def step(training: Training, batch: Batch, session: Session) -> float:
    """One step of both players; how long it took."""
    began = time.perf_counter()
    objective = training.objective
    forward = objective.forward(batch, 0.5)
    for losses in (objective.generator_losses(forward), objective.discriminator_losses(forward)):
        if losses:
            session.backward(torch.stack(list(losses.values())).sum())
    session.step(training.optimizers().values())
    _wait(session)
    return time.perf_counter() - began


def save(training: Training, folder: Path, number: int, session: Session, beside: Beside | None) -> float:
    """Write a checkpoint, beside the training or before anything else; how long the caller was held."""
    began = time.perf_counter()
    training.save(folder, number, session, beside=beside)
    return time.perf_counter() - began


def one_round(training: Training, stream: Iterator[Batch], folder: Path, number: int, session: Session) -> Round:
    """Steps alone, steps beside a checkpoint, and a checkpoint by itself."""
    alone = statistics.median(step(training, next(stream), session) for _ in range(PLAIN_STEPS))
    with Beside() as beside:
        held = save(training, folder, number, session, beside)
        slow = []
        while beside.busy:
            slow.append(step(training, next(stream), session))
    waiting = save(training, folder, number + 1, session, None)
    return Round(alone, held, sum(each - alone for each in slow), waiting)


def _wait(session: Session) -> None:
    if session.device.type == "cuda":
        torch.cuda.synchronize()


def measure(rounds: int = 3, size: int = 64, batch: int = 1, folder: Path | None = None) -> list[Figure]:
    """Rounds of steps and checkpoints.

    Args:
        rounds: measured ones, after one that is not.
        size: side of the images, in pixels.
        batch: images of each domain a step.
        folder: a place on the disk to write to; the system's temporary one if `None`.
    """
    session = Session(cpu=not torch.cuda.is_available())
    config = pipelines.load(PIPELINE).stage(STAGE).config
    assert isinstance(config, AdaptingConfig)
    training = made(config, session.device)
    stream = batches(batch, size, stages.task_of(config.task).space.count, session.device)
    training.objective.networks.train()
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        place = Path(scratch)
        found = [one_round(training, stream, place, 2 * number, session) for number in range(rounds + 1)][1:]
        bytes_written = sum(path.stat().st_size for path in max(place.glob("step-*")).iterdir())
    alone, held, slower, waiting = (statistics.median(values) for values in zip(*found, strict=True))
    ours, theirs = (100 * cost / (EVERY * alone) for cost in (held + slower, waiting))
    what = f"{bytes_written / 1e6:.0f} MB of networks and optimizers"
    other = "all of it before the next step"
    return [
        Figure(
            part=PART, what=f"share of training time, {what} every {EVERY} steps of {alone:.2f} s",
            other=other, theirs=theirs, ours=ours, unit="%", value=ours, bound=MOST, sense="at most",
            note=f"held {1000 * held:.0f} ms, steps beside the writing {1000 * slower:.0f} ms slower in all; a step of "
            f"{(held + slower) * 100 / MOST / EVERY:.2f} s would cost just {MOST:g} %",
        ),
        Figure(
            part=PART, what=f"training held by one checkpoint, {what}", other=other, theirs=1000 * waiting,
            ours=1000 * held, unit="ms", value=waiting / held,
        ),
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="measured rounds (3)")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels (64)")
    parser.add_argument("--batch", type=int, default=1, help="images of each domain a step (1)")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to write to")
    figure.add_arguments(parser)
    given = parser.parse_args()
    figure.tell(measure(given.rounds, given.size, given.batch, given.folder), given)


if __name__ == "__main__":
    main()
