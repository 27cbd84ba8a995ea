"""Peak memory of the training steps of the GTA5 to Cityscapes pipelines, activations kept and computed anew.

Each stage's step at its own crop and batch is gone through on tensors that hold nothing (`pipelines.estimate`), both
ways; then the largest crops follow for cards of 11, 24 and 80 GB (`segda run NAME --plan --memory 11GB`). Counted are
tensors in float32, optimizers' states among them, and no libraries' work space. Steps that really compute, smaller ones
of the same networks, give the price in time and show how near the counting comes; both ways take turns.

Run:  python -m tools.bench.memory [--rounds 3] [--size 192] [--json FILE]
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence

import torch

from pipelines import pipeline as pipelines
from pipelines.crops import Crops, bytes_of
from pipelines.estimate import Memory
from pipelines.space import Space
from pipelines.stage import Size, TrainingConfig
from segda.batch import Batch, DomainBatch
from segda.engine.peak import Peak
from segda.engine.training import Training
from segda.engine.trial import passes
from tools.bench import figure
from tools.bench.figure import Figure

MAIN = "gta5_to_cityscapes"
PIPELINES = (MAIN, f"{MAIN}_semantic", f"{MAIN}_i2i", f"{MAIN}_i2i_densenet")
CARDS = ("11GB", "24GB", "80GB")
REAL = ((MAIN, "source"), (MAIN, "translate"))
"""Stages of which smaller steps are computed."""
SETTINGS = ("runtime.recompute=false", "runtime.recompute=true")


def stages(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pipelines and their training stages, of those that train alike the first."""
    different: dict[str, tuple[str, str]] = {}
    for name in names:
        for stage in pipelines.load(name).stages.values():
            if isinstance(stage.config, TrainingConfig):
                alike = stage.config.model_dump(include={"networks", "batch", "crop", "ema"})
                terms = sorted(getattr(stage.config, "method").terms)  # noqa: B009
                different.setdefault(f"{alike} {terms}", (name, stage.name))
    return list(different.values())


def counted(name: str, stage: str, cards: Sequence[str] = CARDS) -> Figure:
    """A stage's step at its own crop and batch, and the largest crops that fit."""
    takes, crops = [], []
    for setting in SETTINGS:
        loaded = pipelines.load(name, [setting])
        found = Crops(Memory(loaded, Space(loaded, [])))
        own = found.own(loaded.stages[stage])
        assert own is not None
        takes.append(own[1])
        best = [found.largest(loaded.stages[stage], bytes_of(card)) for card in cards]
        crops.append([each and f"{each[0][0]}x{each[0][1]}" for each in best])
    told = "; ".join(f"{card} {kept}, {anew}" for card, kept, anew in zip(cards, *crops, strict=True))
    config = loaded.stages[stage].config
    assert isinstance(config, TrainingConfig)
    what = f"{name}: {stage}, {config.batch} crops of {own[0][0]}x{own[0][1]}, a step's tensors"
    return Figure(
        "memory", what, takes[1] / 2**30, "GiB", takes[0] / takes[1], "activations kept", takes[0] / 2**30,
        note=f"largest crop, activations kept and computed anew: {told}",
    )  # fmt: skip


def computed(name: str, stage: str, size: int, batch: int, rounds: int) -> list[Figure]:
    """What a step takes and how long it lasts, really computed, both ways in turn."""
    settings = [f"stages.{stage}.crop=[{size}, {size}]", f"stages.{stage}.batch={batch}"]
    made: list[Training] = []
    peaks, told = [], []
    images = noise(batch, (size, size))
    first = [next(images) for _ in range(2)]
    for setting in SETTINGS:
        loaded = pipelines.load(name, [setting, *settings])
        memory, config = Memory(loaded, Space(loaded, [])), loaded.stages[stage].config
        assert isinstance(config, TrainingConfig)
        told.append(memory.training(config, (size, size)))
        with Peak() as peak:
            torch.manual_seed(0)
            made.append(memory.assembled(config))
            for samples in first:  # the second one beside the optimizers' states
                step(made[-1], samples)
        peaks.append(peak.most)
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        samples = next(images)
        for training, spent in zip(made, seconds, strict=True):
            start = time.perf_counter()
            step(training, samples)
            spent.append(time.perf_counter() - start)
    kept, anew = (statistics.median(spent) for spent in seconds)
    what = f"{name}: {stage}, {batch} crops of {size}x{size}, computed"
    off = max(abs(first - second) / second for first, second in zip(told, peaks, strict=True))
    return [
        Figure(
            "memory", f"{what}: tensors", peaks[1] / 2**30, "GiB", peaks[0] / peaks[1], "activations kept",
            peaks[0] / 2**30, note=f"the estimate is off by {100 * off:.0f} % at most",
        ),
        Figure("memory", f"{what}: time of a step", anew, "s", anew / kept, "activations kept", kept),
    ]  # fmt: skip


def step(training: Training, samples: Batch) -> None:
    """One step of both players."""
    passes(training, samples)
    for optimizer in training.optimizers().values():
        optimizer.step()


def noise(samples: int, size: Size) -> Iterator[Batch]:
    """Endless batches of noise in both domains, their places going on."""
    draws = torch.Generator().manual_seed(0)
    first = 0
    while True:
        places = torch.arange(first, first + samples)
        keys = [str(place) for place in places.tolist()]
        images = [torch.rand((samples, 3, *size), generator=draws) * 2 - 1 for _ in range(2)]
        label = torch.randint(0, 19, (samples, *size), generator=draws)
        yield Batch(DomainBatch(images[0], label, places, keys), DomainBatch(images[1], None, places, keys))
        first += samples


def measure(names: Sequence[str] = PIPELINES, rounds: int = 3, size: int = 192, batch: int = 2) -> list[Figure]:
    """All figures."""
    figures = [counted(*stage) for stage in stages(names)]
    for name, stage in REAL:
        if name in names:
            figures += computed(name, stage, size, batch, rounds)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="measured steps of each way (3)")
    parser.add_argument("--size", type=int, default=192, help="side of the crops of steps that are computed (192)")
    figure.add_arguments(parser)
    given = parser.parse_args()
    figure.tell(measure(rounds=given.rounds, size=given.size), given)


if __name__ == "__main__":
    main()
