"""One pipeline with a stage for every method, run by one process and by two."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipelines import pipeline as pipelines
from pipelines.execution import run_pipeline
from pipelines.stage import Method
from pipelines.training import needs_of
from segda.artefacts.store import Store
from segda.engine.session import Session

METHODS = Path(__file__).parents[2] / "configs" / "methods"
# All but those of statistics of a batch (CORAL, MMD, CoGAN's sampler), which depend on how it is split, and pix2pix,
# which wants pairs. The lens and the posterior change so little in three steps that a wrong gradient would not show.
LEFT_OUT = {
    "cogan", "coral", "cyclegan_tempered", "dan", "ddc", "deep_coral", "deep_coral_tutorial", "i2i_adversarial_latent",
    "i2i_vae", "pix2pix",
}  # fmt: skip
NAMES = sorted(
    path.stem
    for path in METHODS.glob("*.yaml")
    if "terms" in yaml.safe_load(path.read_text()) and path.stem not in LEFT_OUT
)
# Stages that both runs share, so that what builds on them has the same networks to work with.
SHARED = ("streets", "segmenter", "translator")
# No batch statistics: what one sample adds to a gradient does not depend on which others a process sees. SGD, since
# Adam's first steps are signs of gradients, and so of rounding errors where a gradient is zero.
SGD = {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9}
TRAINED: dict[str, object] = {
    "networks": {
        "encoder": {"name": "small", "width": 6, "blocks": 1, "norm": "none"},
        "head": {"name": "small", "width": 4, "norm": "none"},
        "decoder": {"name": "transposed", "features": [6, 5, 4], "shared_layers": 1, "norm": "none"},
        "discriminators": {
            "image": {"name": "patch", "width": 3},
            "feature": {"name": "feature", "width": 5},
            "logits": {"name": "fully_convolutional", "width": 3, "layers": 2},
            "conditional": {"name": "feature", "width": 5},
            "latent": {"name": "feature", "width": 5},
        },
    },
    "steps": 4,
    "batch": 4,
    "crop": [32, 32],
    "optimizer": SGD,
    "discriminator_optimizer": SGD,
    "ema": 0.9,
}
TRANSLATING = {
    "encoder": {"name": "translator", "width": 4, "blocks": 1},
    "decoder": {"name": "translator", "blocks": 1, "residual": True},
}
SOURCE = {"name": "gta5", "root": {"from": "streets", "output": "rendered"}}
TARGET = {"name": "cityscapes", "root": {"from": "streets", "output": "camera"}}


def stage(method: str) -> dict[str, object]:
    """The stage that trains a method."""
    content = yaml.safe_load((METHODS / f"{method}.yaml").read_text())
    terms = content["terms"]
    changed: dict[str, object] = {"base": method}
    if "translation_adversarial" in terms and "pool" in terms["translation_adversarial"]:
        changed["terms"] = {"translation_adversarial": {"pool": 3}}  # so small that it swaps
    shared = {**TRAINED, "method": changed}
    if set(terms) == {"classification"}:
        return {"kind": "supervise", "data": TARGET if method == "oracle" else SOURCE, **shared}
    both = {"source": SOURCE, "target": TARGET, **shared}
    if "head" in needs_of(Method.model_validate(content)):
        return {"kind": "align", **both, **({"init": {"from": "segmenter"}} if content.get("frozen") else {})}
    if "semantic_consistency" in terms:
        both["judge"] = {"from": "segmenter"}
    image = {"name": "semantic_patch" if "semantic_discrimination" in terms else "patch70", "width": 4}
    slow = {**SGD, "learning_rate": 0.002}  # rounding grows in instance normalisation, the faster the larger the steps
    both.update(optimizer=slow, discriminator_optimizer=slow)
    return {"kind": "translate", **both, "networks": {**TRANSLATING, "discriminators": {"image": image}}}


def write(folder: Path) -> Path:
    """The pipeline's file."""
    stages: dict[str, object] = {
        # An odd number of images to score and to export: two processes have different shares.
        "streets": {"kind": "generate", "rendered": 7, "camera_train": 6, "camera_val": 3, "size": [40, 72]},
        "segmenter": {**stage("source_only"), "steps": 1},
        "translator": {**stage("cyclegan"), "steps": 1},
        "export": {"kind": "export", "data": SOURCE, "translator": {"from": "translator"}},
        "scores": {"kind": "evaluate", "data": {**TARGET, "split": "val"}, "rows": {"one": {"from": "segmenter"}}},
        **{method: stage(method) for method in NAMES},
    }
    content = {
        "task": {"name": "segmentation", "labels": "cityscapes"},
        "runtime": {"workers": 0, "save_every": 3, "log_every": 1, "cpu": True},
        "stages": stages,
    }
    file = folder / "methods.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


@dataclass(frozen=True)
class Runs:
    """A runs folder with the finished pipeline."""

    root: Path

    def folder(self, name: str) -> Path:
        return self.root / json.loads((self.root / "methods.lock.json").read_text())["stages"][name]["folder"]


def run(file: Path, root: Path, settings: Sequence[str] = (), only: Sequence[str] = ()) -> Runs:
    run_pipeline(pipelines.load(str(file), settings), Store(root), Session(cpu=True), only)
    return Runs(root)


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("methods"))


@pytest.fixture(scope="session")
def one(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The pipeline, run by one process."""
    return run(file, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def two(file: Path, one: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The same from the shared stages on, by two processes, started as users start them."""
    root = tmp_path_factory.mktemp("two")
    for name in SHARED:
        shutil.copytree(one.folder(name), root / one.folder(name).name)
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines", "run", str(file), "--processes", "2", "--runs", str(root)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Runs(root)
