"""The built-in digits pipeline from data to table and report, in a few steps a stage."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda.artefacts import manifest as manifests
from segda.artefacts.store import Store
from segda.engine.session import Session
from tests.pipelines import tiny

DIGITS = """
base: digits
runtime: {workers: 0, save_every: 3, log_every: 2, cpu: true}
stages:
  digits: {rendered_train: 40, rendered_test: 10, handwritten_test: 20}
  source: &few {steps: 4, batch: 8}
  pixel: *few
  coral: *few
  feature: *few
  both: *few
  oracle: *few
  report: {embedding: 20}
"""


def run(text: str, folder: Path) -> Path:
    """Run a pipeline and return its runs folder."""
    file = folder / "tiny.yaml"
    file.write_text(text)
    run_pipeline(pipelines.load(str(file)), Store(folder / "runs"), Session(cpu=True))
    return folder / "runs"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(DIGITS, tmp_path_factory.mktemp("digits"))


def test_the_digits_job_ends_with_a_table_and_a_report(digits: Path) -> None:
    evaluation = json.loads((tiny.folder(digits, "evaluate") / "evaluation.json").read_text())
    assert list(evaluation) == [
        "source only", "pixel", "CORAL", "feature", "pixel+feature", "oracle"
    ]  # fmt: skip
    assert all(row["protocol"]["measure"] == "accuracy" for row in evaluation.values())
    assert "<h1" in (tiny.folder(digits, "report") / "report.html").read_text(encoding="utf-8")


def test_an_export_of_digits_is_whole_without_a_folder_of_labels(digits: Path) -> None:
    index = json.loads((tiny.folder(digits, "restyled") / "dataset.json").read_text())
    assert len(index["keys"]) == len(index["labels"]) == 40
    assert index["labels"][:12] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    for key in index["keys"]:
        assert Image.open(tiny.folder(digits, "restyled") / "images" / f"{key}.png").size == (16, 16)
    assert not (tiny.folder(digits, "restyled") / "labels").exists()
    published = manifests.load(tiny.folder(digits, "restyled")).outputs
    assert {name.split("/")[0] for name in published} == {"images", "dataset.json"}
