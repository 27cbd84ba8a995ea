"""The smallest pipeline with every kind of stage, and the contents of a stage's folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from segda.artefacts import manifest as manifests
from tests.resume import jobs

KINDS = ("generate", "supervise", "translate", "export", "align", "coral", "evaluate", "report")


def write(folder: Path) -> Path:
    """Write the pipeline's file; each stage is named after its kind."""
    short = {"steps": 3, "batch": 2, "accumulate": 1}
    content = {
        "task": {"name": "segmentation", "labels": "cityscapes"},
        "runtime": {"workers": 0, "save_every": 1, "log_every": 1, "cpu": True},
        "stages": {
            "generate": {"kind": "generate", "rendered": 3, "camera_train": 2, "camera_val": 2, "size": [40, 112]},
            "supervise": {**jobs.stage("segmentation", "source_only"), **short},
            "translate": {**jobs.stage("segmentation", "cyclegan"), **short},
            "export": {
                "kind": "export", "data": jobs.STREETS["source"], "translator": {"from": "translate"},
                "judge": {"from": "supervise"},
            },
            "align": {**jobs.stage("segmentation", "dann"), **short},
            "coral": {**jobs.stage("segmentation", "coral"), **short, "init": {"from": "supervise"}},
            "evaluate": {
                "kind": "evaluate", "data": {**jobs.STREETS["target"], "split": "val"},
                "rows": {"source only": {"from": "supervise"}, "adapted": {"from": "align"}},
            },
            "report": {
                "kind": "report", "evaluation": {"from": "evaluate"}, "source": jobs.STREETS["source"],
                "data": {**jobs.STREETS["target"], "split": "val"}, "translator": {"from": "translate"},
                "before": {"from": "supervise"}, "after": {"from": "align"}, "pictures": 1, "embedding": 0,
            },
        },
    }  # fmt: skip
    text = yaml.safe_dump(content, sort_keys=False).replace("from: data\n", "from: generate\n")
    file = folder / "chain.yaml"
    file.write_text(text)
    return file


def before(finished: Path, runs: Path, file: Path, kind: str) -> Path:
    """A copy of finished runs without the folder of one kind of stage."""
    name = jobs.folder(file, finished, kind).name
    shutil.copytree(finished, runs, ignore=lambda _, names: {name} & set(names))
    return runs


def outcome(file: Path, runs: Path, kind: str) -> dict[str, Any]:
    """Manifest and files of a finished stage, without times."""
    folder = jobs.folder(file, runs, kind)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["provenance"], manifest["checksum"]  # it also covers provenance
    if kind == "evaluate":
        manifest["outputs"].pop("evaluation.json")
        rows = json.loads((folder / "evaluation.json").read_text())
        for row in rows.values():
            del row["protocol"]["seconds"]
        manifest["rows"] = rows
    assert not manifests.first_difference(folder, manifests.load(folder), full=True)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    log = folder / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    return {"manifest": manifest, "files": files, "log": [{**line, "seconds": 0, "waiting": 0} for line in lines]}
