"""Peak memory of the training steps of the GTA5 to Cityscapes pipelines, activations stored and recomputed.

Each stage's step at its own crop and batch is gone through on tensors that hold nothing (`pipelines.planning.memory`),
both ways; then the largest crops follow for cards of 11, 24 and 80 GB (`segda run NAME --plan --memory 11GB`). Counted
are tensors in float32, optimizers' states among them, and no libraries' work space. Steps that really compute, smaller
ones of the same networks, give the price in time and show how near the counting comes; both ways take turns.
"""

from collections.abc import Sequence
from functools import partial

from pipelines.planning.largest_crop import bytes_of, configured, largest
from segda.engine.peak_memory import PeakMemory
from segda.engine.session import Local
from tools.bench.harness import Figure, medians
from tools.bench.inputs import noise, stage_of, step, training_stages

MAIN = "gta5_to_cityscapes"
PIPELINES = (MAIN, f"{MAIN}_semantic", f"{MAIN}_i2i", f"{MAIN}_i2i_densenet")
CARDS = ("11GB", "24GB", "80GB")
REAL = ("source", "translate")
"""Stages of the first pipeline of which smaller steps are computed."""
SETTINGS = {"stored": "runtime.recompute=false", "recomputed": "runtime.recompute=true"}
OTHER = "activations stored"


def counted(name: str, stage: str, cards: Sequence[str] = CARDS) -> Figure:
    """A stage's step at its own crop and batch, and the largest crops that fit."""
    takes, crops = [], []
    for setting in SETTINGS.values():
        memory, config = stage_of(name, stage, setting)
        loaded = memory.pipeline.stages[stage]
        own = configured(memory, loaded)
        assert own is not None
        height, width = own[0]
        takes.append(own[1])
        best = [largest(memory, loaded, bytes_of(card)) for card in cards]
        crops.append([each and f"{each[0][0]}x{each[0][1]}" for each in best])
    fitting = "; ".join(
        f"{card} {stored}, {recomputed}" for card, stored, recomputed in zip(cards, *crops, strict=True)
    )
    what = f"{name}: {stage}, {config.batch} crops of {height}x{width}, a step's tensors"
    note = f"largest crop, activations stored and recomputed: {fitting}"
    return Figure(what, takes[1] / 2**30, "GiB", takes[0] / takes[1], OTHER, takes[0] / 2**30, note=note)


def computed(name: str, stage: str, size: int, batch: int, rounds: int) -> list[Figure]:
    """What a step takes and how long it lasts, really computed, both ways in turn."""
    settings = [f"stages.{stage}.crop=[{size}, {size}]", f"stages.{stage}.batch={batch}"]
    images, trainings, peaks, off = noise(batch, (size, size)), {}, {}, 0.0
    first, second = next(images), next(images)
    for way, setting in SETTINGS.items():
        memory, config = stage_of(name, stage, setting, *settings)
        with PeakMemory() as peak:
            trainings[way] = memory.assembled(config)
            for samples in (first, second):  # the optimizers have their states from the first step on
                step(trainings[way], samples, Local())
        peaks[way] = peak.most
        off = max(off, abs(memory.training(config, (size, size)) - peak.most) / peak.most)
    times = medians({way: partial(step, training, second, Local()) for way, training in trainings.items()}, rounds)
    what, note = (
        f"{name}: {stage}, {batch} crops of {size}x{size}, computed",
        f"estimate off by {100 * off:.0f} % at most",
    )
    tensors, plain_tensors = (peaks[way] / 2**30 for way in ("recomputed", "stored"))
    time, plain_time = times["recomputed"], times["stored"]
    return [
        Figure(f"{what}: tensors", tensors, "GiB", plain_tensors / tensors, OTHER, plain_tensors, note=note),
        Figure(f"{what}: time of a step", time, "s", time / plain_time, OTHER, plain_time),
    ]


def measure(rounds: int = 3, size: int = 192, batch: int = 2) -> list[Figure]:
    """All stages on tensors that hold nothing, then two that compute, with crops of `size`."""
    figures = [counted(*stage) for stage in training_stages(PIPELINES)]
    for stage in REAL:
        figures += computed(MAIN, stage, size, batch, rounds)
    return figures
