"""One pipeline with a stage for every method, run by one process and by two."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.definition import loading as pipelines
from pipelines.definition.schema import MethodConfig
from pipelines.networks import needed_networks
from pipelines.running.execution import run_pipeline
from segda.artefacts.store import Store
from segda.engine.session import Session
from tests import pretrained_weights
from tests.float64 import double

METHODS = Path(__file__).parents[2] / "configs" / "methods"
NAMES = sorted(path.stem for path in METHODS.glob("*.yaml") if "terms" in yaml.safe_load(path.read_text()))
# Those whose value is a statistic of the batch (CORAL, MMD, MCC), or whose networks normalise by it (CoGAN's sampler):
# for them processes gather statistics. Closed-form CORAL measures whole data sets and needs no option.
STATISTICS = ("cdan_mcc", "cogan", "dan", "ddc", "deep_coral", "deep_coral_tutorial", "mcc")
# Not methods of their own: batch normalisation in the networks, in a teacher that uses the statistics of its batches,
# and with activation checkpointing.
NORMALISED = ("normalised", "normalised_teacher", "recomputed")
# Two sources, of which images and crops are drawn for rare classes: the first process counts them for both. Crops that
# look alike: it finds them for both.
SAMPLED = ("sampled", "matched")
# So large that in three steps what they train changes by more than rounding.
WEIGHTS = {
    "cyclegan_tempered": {"tempered_lens": 300.0},
    "daformer": {"feature_distance": 1.0},
    "fada": {"class_adversarial": 1.0},
    "i2i_vae": {"latent_divergence": 1.0, "identity": 1.0},
    "i2i_adversarial_latent": {"latent_adversarial": 1.0, "identity": 1.0},
}
# Stages that the two processes take over, so that later stages of both runs start from the same networks.
SHARED = ("streets", "segmenter", "translator")
# Stages that one process begins and two finish; the export has this many files written.
BEGUN, WRITTEN = ("begun", "begun_export"), 3
# No batch statistics: what one sample adds to a gradient does not depend on which others a process sees. SGD, since
# Adam's first steps are signs of gradients, and so of rounding errors where a gradient is zero.
SGD = {"name": "sgd", "learning_rate": 0.02, "momentum": 0.9}
# Rounding grows where features are normalised, the faster the larger the steps.
SLOW = {**SGD, "learning_rate": 0.002}
NETWORKS: dict[str, dict] = {
    "encoder": {"name": "small", "width": 6, "blocks": 1, "norm": "none"},
    "head": {"name": "small", "width": 4, "norm": "none"},
    "decoder": {"name": "transposed", "features": [6, 5, 4], "shared_layers": 1, "norm": "none"},
    "discriminators": {
        "image": {"name": "patch", "width": 3},
        "feature": {"name": "feature", "width": 5},
        "logits": {"name": "fully_convolutional", "width": 3, "layers": 2},
        "conditional": {"name": "feature", "width": 5},
        "latent": {"name": "feature", "width": 5},
        "pair": {"name": "patch", "width": 3},
        "class_feature": {"name": "class_feature", "width": 6},
    },
    "rebuilder": {"name": "transformer", "width": 8, "blocks": 1, "heads": 2},
}
TRAINED: dict[str, object] = {
    "networks": NETWORKS,
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
TRANSLATED = {"name": "adapted", "root": {"from": "export"}}
EXPORT = {"kind": "export", "data": SOURCE, "translator": {"from": "translator"}}
SAMPLING = {"rare_classes": {"temperature": 0.1}, "largest_class": 0.7, "tries": 3, "weights": [2, 1]}
LAYOUTS = ("source", "huggingface", "webdataset", "parquet")


def changes(method: str, terms: dict[str, Any]) -> dict[str, dict[str, object]]:
    """What makes every part of a method count within three steps."""
    found: dict[str, dict[str, object]] = {name: {"weight": new} for name, new in WEIGHTS.get(method, {}).items()}
    if "pool" in terms.get("translation_adversarial", {}):
        found["translation_adversarial"] = {"pool": 3}  # so small that it swaps
    if method in ("dacs", "mic"):  # of the labels of networks that have seen little, some are trusted
        thresholded = [name for name, options in terms.items() if "threshold" in options]
        found.update({name: {"threshold": 0.06} for name in thresholded})
    if "masked_modelling" in terms:
        found["masked_modelling"] = {"threshold": 0.05}  # so low that pseudo-labels count
    return found


def stage(method: str) -> dict[str, object]:
    """The stage that trains a method."""
    content = yaml.safe_load((METHODS / f"{method}.yaml").read_text())
    terms = content["terms"]
    shared: dict[str, object] = {**TRAINED, "method": {"base": method, "terms": changes(method, terms)}}
    if method == "dann":  # by the norm of the whole batch's gradient, which no process has alone
        shared["optimizer"] = {**SGD, "clip_gradient_norm": 0.1}
    if method in STATISTICS:
        shared["runtime"] = {"gather_statistics": True}
    both = {"source": SOURCE, "target": TARGET, **shared}
    if "feature_distance" in terms:
        return {"kind": "align", **both, "networks": {**NETWORKS, "encoder": pretrained_weights.encoder()}}
    if method == "coral":
        return {"kind": "coral", **both, "init": {"from": "segmenter"}}
    if set(terms) == {"classification"}:
        return {"kind": "supervise", "data": TARGET if method == "oracle" else SOURCE, **shared}
    if method == "cogan":
        sampler = {"name": "coupled", "noise": 5, "width": 2, "size": 32}
        encoder = {"name": "coupled", "size": 32, "features": [3, 4], "hidden": 6}
        return {"kind": "align", **both, "networks": {**NETWORKS, "encoder": encoder, "sampler": sampler}}
    if method == "hrda":
        head = {"name": "hrda", "head": NETWORKS["head"], "width": 4, "norm": "none"}
        return {"kind": "align", **both, "networks": {**NETWORKS, "head": head}}
    if method == "pix2pix":
        return {"kind": "translate", **both, "target": TRANSLATED, "paired": True}
    needed = needed_networks(MethodConfig.model_validate(content))
    if "judge" in needed:
        both["judge"] = {"from": "segmenter"}
    if "head" in needed:
        return {"kind": "align", **both, **({"init": {"from": "segmenter"}} if content.get("frozen") else {})}
    image = {"name": "semantic_patch" if "semantic_discrimination" in terms else "patch70", "width": 4}
    both.update(optimizer=SLOW, discriminator_optimizer=SLOW)
    return {"kind": "translate", **both, "networks": {**TRANSLATING, "discriminators": {"image": image}}}


def normalised(method: str, **changes: object) -> dict[str, object]:
    """The stage with batch normalisation in encoder and head."""
    encoder, head = {**NETWORKS["encoder"], "norm": "batch"}, {**NETWORKS["head"], "norm": "batch"}
    networks = {**NETWORKS, "encoder": encoder, "head": head}
    common = {"networks": networks, "optimizer": SLOW, "runtime": {"gather_statistics": True}}
    return {**stage(method), **common, **changes}


def write(folder: Path) -> Path:
    """The pipeline's file."""
    stages: dict[str, object] = {
        # An odd number of images to score and to export: two processes have different shares.
        "streets": {"kind": "generate", "rendered": 7, "camera_train": 6, "camera_val": 3, "size": [40, 72]},
        "segmenter": {**stage("source_only"), "steps": 1},
        "translator": {**stage("cyclegan"), "steps": 1},
        "export": EXPORT,
        "scores": {"kind": "evaluate", "data": {**TARGET, "split": "val"}, "rows": {"one": {"from": "segmenter"}}},
        **{f"export_{layout}": {**EXPORT, "layout": layout, "shard": 2} for layout in LAYOUTS},
        # Fewer images than processes.
        "street": {"kind": "generate", "rendered": 1, "camera_train": 1, "camera_val": 1, "size": [40, 72]},
        "export_one": {**EXPORT, "data": {**SOURCE, "root": {"from": "street", "output": "rendered"}}},
        "score_one": {
            "kind": "evaluate",
            "rows": {"one": {"from": "segmenter"}},
            "data": {**TARGET, "root": {"from": "street", "output": "camera"}, "split": "val"},
        },
        **{method: stage(method) for method in NAMES},
        "normalised": normalised("source_only"),
        "normalised_teacher": normalised("self_training", teacher_statistics="batch"),
        "recomputed": normalised("i2i", runtime={"gather_statistics": True, "recompute": True}),
        "matched": {**stage("fastcut"), "match": {"network": {"from": "segmenter"}, "neighbours": 4}},
        "sampled": {**stage("dann"), "source": [SOURCE, {**SOURCE, "include": ["*[13579]"]}], "sampling": SAMPLING},
        # The first without gathering; another momentum, since that changes no key.
        "split": normalised("source_only", optimizer={**SLOW, "momentum": 0.8}, runtime={}),
        # See BEGUN.
        "begun": {**stage("dann"), "optimizer": {**SGD, "momentum": 0.8}},
        "begun_export": {**EXPORT, "quality": 90},
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
    """A runs folder with the finished pipeline, and what the run printed."""

    root: Path
    output: str = ""

    def folder(self, name: str) -> Path:
        return self.root / json.loads((self.root / "methods.lock.json").read_text())["stages"][name]["folder"]

    def copy(self, root: Path, names: Sequence[str]) -> None:
        """Finished stages, into another runs folder."""
        for name in names:
            shutil.copytree(self.folder(name), root / self.folder(name).name)

    def copy_begun(self, root: Path, names: tuple[str, str]) -> None:
        """A training and an export into another runs folder as a kill leaves them: some files, no manifest."""
        self.copy(root, names)
        training, export = (root / self.folder(name).name for name in names)
        shutil.rmtree(training / "networks")
        (export / "dataset.json").unlink()
        for folder in (training, export):
            (folder / "manifest.json").unlink()
        for kind in ("images", "labels"):
            for file in sorted((export / kind).rglob("*.png"))[WRITTEN:]:
                file.unlink()


def run(file: Path, root: Path, settings: Sequence[str] = (), only: Sequence[str] = ()) -> Runs:
    with double():
        run_pipeline(pipelines.load(str(file), settings), Store(root), Session(cpu=True), only)
    return Runs(root)


def command(file: Path, root: Path, *words: str, module: str = "pipelines") -> list[str]:
    """`segda run` with some more words."""
    return [sys.executable, "-m", module, "run", str(file), "--runs", str(root), *words]


def ended(words: list[str], folder: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; after `timeout` seconds the launcher has to end its processes, and the test fails."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise AssertionError(f"still running after {timeout} s:\n{''.join(process.communicate())}") from None
    return subprocess.CompletedProcess(words, process.returncode, output, errors)


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("methods"))


@pytest.fixture(scope="session")
def one(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The pipeline, run by one process."""
    return run(file, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def two(file: Path, one: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The same by two processes, started as users start them, from what one process has finished or begun."""
    root = tmp_path_factory.mktemp("two")
    one.copy(root, SHARED)
    one.copy_begun(root, BEGUN)
    words = command(file, root, "--processes", "2", module="tests.float64")
    finished = ended(words, Path.cwd(), timeout=1800)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return Runs(root, finished.stdout)
