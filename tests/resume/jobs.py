"""A tiny pipeline for any method and either task, with everything that a checkpoint can contain."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda.artefacts.store import Store
from segda.engine.session import Session
from tests.distributed import conftest as distributed
from tests.pipelines import tiny

METHODS = distributed.METHODS
TRAINED = sorted(path.stem for path in METHODS.glob("*.yaml") if "terms" in yaml.safe_load(path.read_text()))
# In classification there are no pixels to weight, count or discriminate by class; CoGAN generates digits.
PIXELS_ONLY = {"cyclegan_semantic", "daformer", "fcns_in_the_wild", "hrda", "mrm"}
IMAGES_ONLY = {"cogan"}
CASES = [
    (task, method)
    for task, others in (("segmentation", IMAGES_ONLY), ("classification", PIXELS_ONLY))
    for method in TRAINED
    if method not in others
]
STEPS = 5
DIGITS = {
    "source": {"name": "mnist", "root": {"from": "data", "output": "rendered"}, "resize": [32, 32]},
    "target": {"name": "arrays", "root": {"from": "data", "output": "handwritten"}, "resize": [32, 32]},
}
STREETS = {
    name: {**data, "root": {**data["root"], "from": "data"}}  # type: ignore[dict-item]
    for name, data in (("source", distributed.SOURCE), ("target", distributed.TARGET))
}


def _trust_more(terms: dict[str, Any], given: dict[str, Any], *, mix: bool) -> None:
    """Few labels pass the default threshold; only label maps can be mixed."""
    for term in {"self_training", "masked_consistency", "distillation"} & (terms.keys() | given.keys()):
        terms.setdefault(term, {})["threshold"] = 0.05
        if term != "masked_consistency":
            terms[term]["mix"] = mix


def stage(task: str, method: str) -> dict[str, Any]:
    """The stage that trains a method: two micro-batches, moving average, increasing weight, dropout, a small pool."""
    config: dict[str, Any] = copy.deepcopy(distributed.stage(method))
    content = yaml.safe_load((METHODS / f"{method}.yaml").read_text())
    data = STREETS if task == "segmentation" else DIGITS
    if method == "coral":
        config.pop("data", None)
    if "data" in config:
        config["data"] = data["target" if method == "oracle" else "source"]
    else:
        config.update(source=data["source"], target=data["target"])
    if method == "pix2pix":
        # Pairs are samples with the same name: the same images through another reader, or those of the other split.
        other = {"name": "folder", "images": "images"} if task == "segmentation" else {"split": "test"}
        config.update(paired=True, target={**data["source"], **other})
    config.update(steps=STEPS, batch=4, accumulate=2, ema=0.9, optimizer={}, discriminator_optimizer={})
    networks, terms = config["networks"], config["method"].setdefault("terms", {})
    rising = sorted(name for name, term in content["terms"].items() if not isinstance(term["weight"], dict))[-1]
    terms.setdefault(rising, {})["weight"] = {
        "ramp": "linear", "to": content["terms"][rising]["weight"], "over": 0.7
    }  # fmt: skip
    _trust_more(terms, content["terms"], mix=task == "segmentation")
    if "wgan_gp" in json.dumps(content):
        config["discriminator_steps"] = 2
    if config["kind"] == "translate":
        networks["discriminators"]["pair"] = {"name": "patch", "width": 3}
        return config
    if "feature_distance" not in content["terms"]:
        networks["encoder"] = {"name": "small", "width": 6, "blocks": 1}
    networks["head"] = {"name": "linear", "dropout": 0.5}
    if method == "hrda":
        networks["head"] = {"name": "hrda", "head": networks["head"], "width": 4}
    if task == "classification":
        networks["head"] = {"name": "pooled", "dropout": 0.5}
        networks["discriminators"]["logits"] = {"name": "fully_connected", "widths": [5]}
        config.update(crop=None, augment={"flip": False})
    if method == "coral":
        config.update(kind="coral", init={"from": "classifier"})
    elif "init" in config:
        config["init"] = {"from": "classifier"}
    if method == "cogan":
        networks["encoder"] = {"name": "coupled", "size": 32, "features": [4, 6], "hidden": 8}
        networks["sampler"] = {"name": "coupled", "size": 32, "width": 4}
    return config


def write(folder: Path, task: str, method: str) -> Path:
    """Write the pipeline's file: data, a classifier as initial weights or judge, and the method."""
    generate: dict[str, Any] = {
        "segmentation": {"kind": "generate", "rendered": 9, "camera_train": 9, "camera_val": 1, "size": [40, 72]},
        "classification": {
            "kind": "generate_digits", "rendered_train": 30, "rendered_test": 30, "handwritten_test": 1780
        },
    }[task]  # fmt: skip
    trained = stage(task, method)
    if "judge" in trained:
        trained["judge"] = {"from": "classifier"}
    content = {
        "task": {"name": task, "labels": "cityscapes" if task == "segmentation" else "digits"},
        "runtime": {"workers": 0, "save_every": 2, "log_every": 1, "cpu": True},
        "stages": {"data": generate, "classifier": {**stage(task, "source_only"), "steps": 1}, method: trained},
    }
    file = folder / f"{task}-{method}.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def run(file: Path, runs: Path, *settings: str, only: str = "") -> None:
    session = Session(cpu=True)
    run_pipeline(pipelines.load(str(file), settings), Store(runs), session, [only] if only else [])
    session.close()


def folder(file: Path, runs: Path, name: str) -> Path:
    """The folder of a stage's result."""
    return runs / json.loads((runs / f"{file.stem}.lock.json").read_text())["stages"][name]["folder"]


def result(folder: Path) -> dict[str, Any]:
    """Everything in the folder of a trained stage: published files, checkpoints, and the log without times."""
    content: dict[str, Any] = {
        name: described["sha256"] for name, described in tiny.manifests.verify(folder, full=True).outputs.items()
    }
    for line in (folder / "log.jsonl").read_text().splitlines():
        entry = json.loads(line)
        content[f"log {entry['step']}"] = json.dumps({**entry, "seconds": 0, "waiting": 0})
    for checkpoint in sorted((folder / "checkpoints").glob("step-*")):
        tensors = load_file(checkpoint / "tensors.safetensors")
        content[checkpoint.name] = {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}
    return content


def leftovers(folder: Path) -> list[str]:
    """Hidden files below a folder, left by a kill in the middle of a write, without the folder's lock."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*") if path.name != ".lock")
