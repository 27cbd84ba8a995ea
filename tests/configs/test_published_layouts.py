"""The jobs on published data sets, one step a stage, from files in their real layouts to table and report."""

import json
from pathlib import Path

import pytest

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda.artefacts.store import Store
from segda.engine.session import Session
from tests.configs import layouts

COMMON = ["runtime={cpu: true, workers: 0, log_every: 1}"]


def small(stage: str, *more: str) -> list[str]:
    """Settings that make one training stage take one step of 32-pixel crops."""
    settings = ["steps=1", "batch=2", "crop=[32, 32]", *more]
    return [f"stages.{stage}.{setting}" for setting in settings]


def segmenting(stage: str) -> list[str]:
    return small(stage, "networks.encoder={name: small, width: 4, blocks: 1}", "networks.head={name: small, width: 4}")


def resized(sizes: dict[str, tuple[int, int]]) -> list[str]:
    return [f"stages.{path}.resize={list(size)}" for path, size in sizes.items()]


def run(name: str, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    store = Store(tmp_path / "runs")
    run_pipeline(pipelines.load(name, [*COMMON, *settings]), store, Session(cpu=True))
    return store.root, {stage: entry["folder"] for stage, entry in store.read_lock(name)["stages"].items()}


def five_rows(source: tuple[int, int], target: tuple[int, int]) -> list[str]:
    translator = [
        "networks.encoder={name: translator, width: 4, blocks: 1}",
        "networks.decoder={name: translator, blocks: 1}",
        "networks.discriminators.image.width=4",
    ]
    settings = [setting for stage in ("source", "pixel", "feature", "both", "oracle") for setting in segmenting(stage)]
    sources = ["source.data", "translate.source", "adapted.data", "pixel.data", "feature.source", "both.source"]
    targets = ["translate.target", "feature.target", "both.target", "oracle.data", "evaluate.data", "report.data"]
    sizes = {**dict.fromkeys([*sources, "report.source"], source), **dict.fromkeys(targets, target)}
    return settings + small("translate", *translator) + resized(sizes)


@pytest.mark.parametrize(
    ("name", "classes", "pairs"),
    [
        pytest.param("gta5_to_cityscapes", 19, 4, marks=pytest.mark.slow),  # the streets tests run these readers, too
        ("synthia_to_cityscapes", 16, 3),
    ],
)
def test_five_rows_from_published_layouts(
    name: str, classes: int, pairs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.gta5(tmp_path / "data")
    layouts.synthia(tmp_path / "data")
    layouts.cityscapes(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    runs, folders = run(name, five_rows((40, 64), (32, 64)), tmp_path, monkeypatch)
    evaluation = json.loads((runs / folders["evaluate"] / "evaluation.json").read_text())
    assert list(evaluation) == ["source only", "pixel", "feature", "pixel+feature", "oracle"]
    for row in evaluation.values():
        assert len(row["protocol"]["classes"]) == classes
        assert row["protocol"]["images"] == 2
        # Scores are taken at the labels' own size, not at that of training.
        assert row["protocol"]["pixels_scored"] + row["protocol"]["pixels_ignored"] == 2 * 48 * 96
    assert [row["protocol"]["trained_on_target_labels"] for row in evaluation.values()] == [False] * 4 + [True]
    assert len(list((runs / folders["adapted"] / "images").glob("*.png"))) == pairs
    assert (runs / folders["report"] / "report.html").is_file()
    # A user's data is never written to.
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before


def test_i2i_from_published_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One joint stage, with the paper's kinds of networks: dilated ResNet, transposed decoders, patch discriminator."""
    layouts.gta5(tmp_path / "data", number=2)  # a step of 2 sees both, one with a label of another size
    layouts.cityscapes(tmp_path / "data")
    dilated = "networks.encoder={name: dilated_resnet, depth: 18}"
    settings = [
        *small("i2i", dilated, "networks.decoder.width=8", "networks.discriminators.image.width=4"),
        *small("source", dilated),
        *small("oracle", dilated),
        *resized(dict.fromkeys(["source.data", "i2i.source", "report.source"], (40, 64))),
        *resized(dict.fromkeys(["oracle.data", "i2i.target", "evaluate.data", "report.data"], (32, 64))),
    ]
    runs, folders = run("gta5_to_cityscapes_i2i", settings, tmp_path, monkeypatch)
    published = {path.stem for path in (runs / folders["i2i"] / "networks").iterdir()}
    assert published == {"encoder", "head", "decoder"}
    evaluation = json.loads((runs / folders["evaluate"] / "evaluation.json").read_text())
    assert list(evaluation) == ["source only", "oracle", "i2i"]
    assert "translated" in (runs / folders["report"] / "report.html").read_text()
