"""What several benchmarks measure on: noise, drawn scenes, linked files, networks, training stages."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipelines.definition import loading as pipelines
from pipelines.definition.schema import TrainingConfig
from pipelines.planning.disk import DiskEstimate
from pipelines.planning.memory import MemoryEstimate
from segda.batch import Batch, DomainBatch
from segda.demo.streets import write as streets
from segda.engine.diagnostics import Diagnostics
from segda.engine.fit import Schedule, update
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState
from segda.networks.networks import Networks

SCENE = (1052, 1914)
LINKS = 10_000
"""Names of one file; a file system allows 65,000."""


def noise(samples: int, size: tuple[int, int]) -> Iterator[Batch]:
    """Endless batches of noise in both domains, labelled with 19 classes without ignored pixels."""
    draws = torch.Generator().manual_seed(0)
    first = 0
    while True:
        positions = torch.arange(first, first + samples)
        keys = [str(position) for position in positions.tolist()]
        images = [torch.rand((samples, 3, *size), generator=draws) * 2 - 1 for _ in range(2)]
        label = torch.randint(0, 19, (samples, *size), generator=draws)
        yield Batch(DomainBatch(images[0], label, positions, keys), DomainBatch(images[1], None, positions, keys))
        first += samples


def scenes(folder: Path, images: int) -> Path:
    """Draw scenes of 1914x1052 pixels with palette labels, in GTA5's layout."""
    streets.write(folder, rendered=images, camera_train=0, camera_val=0, size=SCENE, seed=0)
    return folder / "rendered"


def png(pixels: np.ndarray) -> bytes:
    """A picture as the content of a file."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def links(content: bytes, paths: Iterable[Path]) -> None:
    """Make files of equal content, as hard links."""
    for number, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        if number % LINKS == 0:
            first = path
            path.write_bytes(content)
        else:
            path.hardlink_to(first)


def cityscapes_pairs(root: Path, split: str, numbers: Iterable[int], image: bytes, label: bytes) -> None:
    """Add pairs in Cityscapes' layout, a thousand to a city: hard links to one image and one label."""
    for folder, ending, content in (("leftImg8bit", "leftImg8bit", image), ("gtFine", "gtFine_labelIds", label)):
        cities = ((f"city{number // 1000:04d}", number) for number in numbers)
        links(content, (root / folder / split / c / f"{c}_{number:06d}_000000_{ending}.png" for c, number in cities))


def write_job(folder: Path, stages: dict[str, Any], **runtime: object) -> str:
    """A pipeline for Cityscapes' classes, as a file."""
    task, path = {"name": "segmentation", "labels": "cityscapes"}, folder / "job.yaml"
    path.write_text(json.dumps({"task": task, "runtime": runtime, "stages": stages}))
    return str(path)


class Constant(Networks):
    """Networks that return the same logits for every image, so that all else is measured."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__({}, tied=True)
        self.logits = logits

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        """The image as its only feature."""
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        """The logits."""
        return self.logits


def stage_of(pipeline: str, stage: str, *settings: str) -> tuple[MemoryEstimate, TrainingConfig]:
    """A training stage's config, with what assembles its networks, terms and optimizers on random parameters."""
    loaded = pipelines.load(pipeline, settings)
    config = loaded.stages[stage].config
    assert isinstance(config, TrainingConfig)
    return MemoryEstimate(loaded, DiskEstimate(loaded, [])), config


def step(training: TrainingState, samples: Batch, session: Session | Local, *, logged: bool = True) -> None:
    """One step of both players, measured for the log or not."""
    diagnostics = Diagnostics(training, session, classes=1)
    diagnostics.begin_step(active=logged)
    update(training, iter([samples]), session, Schedule(steps=1), diagnostics)
    training.unlogged_losses.clear()


def training_stages(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pipelines and their training stages, of those that train alike the first."""
    different: dict[str, tuple[str, str]] = {}
    for name in names:
        for stage in pipelines.load(name).stages.values():
            if isinstance(stage.config, TrainingConfig):
                alike = stage.config.model_dump(include={"networks", "batch", "crop", "ema"})
                terms = sorted(getattr(stage.config, "method").terms)  # noqa: B009
                different.setdefault(f"{alike} {terms}", (name, stage.name))
    return list(different.values())


class Operations(TorchDispatchMode):
    """While entered, counts the floating-point operations that torch has a formula for: convolutions, products.

    `FlopCounterMode` counts by the same formulas, but its hooks fail under a gradient of a gradient.
    """

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """Run the operation and add what it takes."""
        result = function(*args, **(kwargs or {}))
        formula = flop_registry.get(function._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result
