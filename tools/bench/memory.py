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
from pipelines.pipeline import Stage
from pipelines.space import Space
from pipelines.stage import TrainingConfig
from segda.batch import Batch, DomainBatch
from segda.engine.fit import Training
from segda.engine.peak import Peak
from segda.engine.trial import passes
from tools.bench import figure
from tools.bench.figure import Figure

MAIN = "gta5_to_cityscapes"
PIPELINES = (MAIN, f"{MAIN}_semantic", f"{MAIN}_i2i", f"{MAIN}_i2i_densenet")
CARDS = ("11GB", "24GB", "80GB")
REAL = ((MAIN, "source"), (MAIN, "translate"))
"""Stages of which smaller steps are computed."""
SETTINGS = ("runtime.recompute=false", "runtime.recompute=true")


def stages(name: str, setting: str) -> tuple[Memory, list[Stage]]:
    """A pipeline's training stages, those that train alike once."""
    loaded = pipelines.load(name, [setting])
    memory = Memory(loaded, Space(loaded, []))
    different: dict[str, Stage] = {}
    for stage in loaded.stages.values():
        if isinstance(stage.config, TrainingConfig):
            alike = stage.config.model_dump(include={"networks", "batch", "crop", "ema"})
            terms = sorted(getattr(stage.config, "method").terms)  # noqa: B009
            different.setdefault(f"{alike} {terms}", stage)
    return memory, list(different.values())


def counted(names: Sequence[str], cards: Sequence[str] = CARDS) -> list[Figure]:
    """A figure for each stage of the pipelines at its own size; no two for stages that train alike."""
    found: dict[str, Figure] = {}
    for name in names:
        (memory, kept), (less, anew) = (stages(name, setting) for setting in SETTINGS)
        for stage, again in zip(kept, anew, strict=True):
            config = stage.config
            assert isinstance(config, TrainingConfig)
            own, smaller = Crops(memory).own(stage), Crops(less).own(again)
            assert own is not None
            assert smaller is not None
            crops = "; ".join(
                f"{card} {_crop(memory, stage, card)} kept, {_crop(less, again, card)} anew" for card in cards
            )
            encoder = config.networks.encoder.name
            what = f"{encoder}, {config.batch} crops of {own[0][0]}x{own[0][1]}, {getattr(config, 'method').title}"  # noqa: B009
            found.setdefault(
                what,
                Figure(
                    "memory", f"{what} ({name}: {stage.name}), a step's tensors", smaller[1] / 2**30, "GiB",
                    own[1] / smaller[1], "activations kept", own[1] / 2**30, note=f"largest crop: {crops}",
                ),
            )  # fmt: skip
    return list(found.values())


def _crop(memory: Memory, stage: Stage, card: str) -> str:
    best = Crops(memory).largest(stage, bytes_of(card))
    return "none" if best is None else f"{best[0][0]}x{best[0][1]}"


def computed(name: str, stage: str, size: int, batch: int, rounds: int) -> list[Figure]:
    """What a step takes and how long it lasts, really computed, both ways in turn."""
    settings = [f"stages.{stage}.crop=[{size}, {size}]", f"stages.{stage}.batch={batch}"]
    made: list[Training] = []
    peaks, told = [], []
    images = noise(batch, size)
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
        optimizer.zero_grad(set_to_none=True)


def noise(samples: int, size: int) -> Iterator[Batch]:
    """Endless batches of noise in both domains, their places going on."""
    draws = torch.Generator().manual_seed(0)
    first = 0
    while True:
        places = torch.arange(first, first + samples)
        keys = [str(place) for place in places.tolist()]
        images = [torch.rand((samples, 3, size, size), generator=draws) * 2 - 1 for _ in range(2)]
        label = torch.randint(0, 19, (samples, size, size), generator=draws)
        yield Batch(DomainBatch(images[0], label, places, keys), DomainBatch(images[1], None, places, keys))
        first += samples


def measure(names: Sequence[str] = PIPELINES, rounds: int = 3, size: int = 192, batch: int = 2) -> list[Figure]:
    """All figures."""
    figures = counted(names)
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
