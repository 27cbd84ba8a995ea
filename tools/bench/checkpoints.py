"""What checkpoints cost a training, written in the background or by the training itself, every 200 steps as by default.

The training is a shipped one: alignment by the I2I objective on a dilated ResNet-34 with Adam, on random images far
smaller than its own, so that the share of time is more than a real training's. Ours is `resume.save` as `fit`
calls it: the training thread copies, another thread hashes, writes and flushes. Its cost is the time of the call, and
the time by which steps are slower until the thread is done. The alternative does all of it before the next step.
"""

import statistics
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from pipelines.definition.schema import RuntimeConfig
from segda.batch import Batch
from segda.engine.background import BackgroundWriter
from segda.engine.resume import save
from segda.engine.session import Session
from segda.engine.state import TrainingState
from tools.bench.harness import Figure, seconds, turns
from tools.bench.inputs import noise, stage_of, step

EVERY = RuntimeConfig().save_every
MOST = 1.0
PLAIN_STEPS = 2


class Round(NamedTuple):
    """Seconds of one step, of both calls, and by which all steps during the writing were slower together."""

    step: float
    background: float
    slower: float
    waiting: float


def one_round(training: TrainingState, batch: Batch, folder: Path, numbers: Iterator[int], session: Session) -> Round:
    """Steps alone, steps while a checkpoint is written, and a checkpoint by itself."""
    plain = statistics.median(seconds(step, training, batch, session).clock for _ in range(PLAIN_STEPS))
    slower = 0.0
    with BackgroundWriter() as background:
        training.step = next(numbers)
        held = seconds(save, training, folder, session, background).clock
        while background.busy:
            slower += seconds(step, training, batch, session).clock - plain
    training.step = next(numbers)
    return Round(plain, held, slower, seconds(save, training, folder, session).clock)


def measure(rounds: int = 3, size: int = 64, batch: int = 1) -> list[Figure]:
    """The share of time, and how long a step waits; TMPDIR chooses the disk."""
    session, (stages, config) = Session(cpu=True), stage_of("gta5_to_cityscapes_i2i", "i2i")
    training = stages.assembled(config)
    training.objective.networks.train()
    with tempfile.TemporaryDirectory() as scratch:
        work = partial(one_round, training, next(noise(batch, (size, size))), Path(scratch), count(), session)
        measured = turns({"round": work}, rounds, warm_up=1)["round"]
        written = sum(path.stat().st_size for path in max(Path(scratch).glob("step-*")).iterdir())
    plain, held, slower, waiting = (statistics.median(values) for values in zip(*measured, strict=True))
    ours, theirs = (100 * cost / (EVERY * plain) for cost in (held + slower, waiting))
    what, other = f"{written / 1e6:.0f} MB of networks and optimizers", "all of it before the next step"
    note = (
        f"held {1000 * held:.0f} ms, steps during the writing {1000 * slower:.0f} ms slower in all; a step of "
        f"{(held + slower) * 100 / MOST / EVERY:.2f} s would cost just {MOST:g} %"
    )
    share = f"share of training time, {what} every {EVERY} steps of {plain:.2f} s"
    call = f"training held by one checkpoint, {what}"
    return [
        Figure(share, ours, "%", ours, other, theirs, MOST, "at most", note),
        Figure(call, 1000 * held, "ms", waiting / held, other, 1000 * waiting),
    ]
