"""The jobs on published data sets, one step a stage, from files in their real layouts to table and report."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.commands.arguments import read_data
from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from pipelines.training.open_data import data_root, open_dataset
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


MIT = "networks.encoder={name: smp, encoder: mit_b0, weights: null}"
VIT = "networks.encoder={name: vit, model: test_vit, weights: null}"


@pytest.mark.parametrize(("name", "stages", "encoder", "crop"), [
    ("gta5_to_cityscapes_mic", ("source", "mic"), MIT, 64),
    pytest.param("synthia_to_cityscapes_mic", ("source", "mic"), MIT, 64, marks=pytest.mark.slow),
    pytest.param("cityscapes_to_acdc_mic", ("source", "mic"), MIT, 64, marks=pytest.mark.slow),
    ("gta5_to_cityscapes_vfm", ("source", "vfm"), VIT, 32),
])  # fmt: skip
def test_a_step_of_what_needs_a_large_gpu(
    name: str, stages: tuple[str, ...], encoder: str, crop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All parts together in small: rare classes, two scales or a plain transformer, hidden patches, margins."""
    for layout in (layouts.gta5, layouts.synthia, layouts.cityscapes, layouts.acdc):
        layout(tmp_path / "data")
    settings = [
        *(setting for stage in stages for setting in small(stage, encoder, f"crop=[{crop}, {crop}]")),
        *resized({f"{stages[0]}.data": (80, 128), f"{stages[1]}.source": (80, 128), f"{stages[1]}.target": (64, 128)}),
    ]
    if stages[1] == "mic":  # which compares with an encoder's weights from a file
        settings.append("stages.mic.method.terms.feature_distance=null")
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    store = Store(tmp_path / "runs")
    run_pipeline(pipelines.load(name, [*COMMON, *settings]), store, Session(cpu=True), list(stages))
    for folder in (store.root / store.read_lock(name)["stages"][stage]["folder"] for stage in stages):
        (line,) = (folder / "log.jsonl").read_text().splitlines()
        assert all(math.isfinite(loss) for loss in json.loads(line)["losses"].values())


@pytest.mark.parametrize(
    ("layout", "name", "split", "labelled", "unlabelled"),
    [
        (layouts.foggy_cityscapes, "foggy_cityscapes", "val", 2, 3),
        (layouts.acdc, "acdc", "val", 2, 2),
        (layouts.dark_zurich, "dark_zurich", "val", 1, 2),
        (layouts.idd, "idd", "val", 2, 2),
        (layouts.bdd100k, "bdd100k", "val", 2, 2),
        (layouts.mapillary_vistas, "mapillary_vistas", "validation", 2, 2),
        (layouts.urbansyn, "urbansyn", "train", 2, 2),
        (layouts.synscapes, "synscapes", "train", 2, 2),
        (layouts.virtual_kitti2, "virtual_kitti2", "train", 3, 3),
    ],
)
def test_shipped_entries_find_labelled_and_unlabelled_images(
    layout: Callable[[Path], Path], name: str, split: str, labelled: int, unlabelled: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    layout(tmp_path)
    assert main(["check", name, "--split", split]) == 0
    assert f"pairs     {labelled}\n" in capsys.readouterr().out
    data = read_data(name, None, None)
    assert len(open_dataset(data, "synthia16", data_root(data), with_labels=False)) == unlabelled


@pytest.mark.parametrize(
    ("layout", "name", "split", "options", "pictures"),
    [
        (layouts.visda, "visda", "validation", {}, 12),
        (layouts.office_home, "office_home", "train", {"folder": "Real World"}, 65),
    ],
)
def test_shipped_entries_of_pictures_find_each_class(
    layout: Callable[[Path], Path], name: str, split: str, options: dict[str, str], pictures: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    layout(tmp_path)
    data = read_data(name, None, split).model_copy(update=options)
    opened = open_dataset(data, name, data_root(data), with_labels=True)
    assert len(opened) == pictures
    assert {int(opened.decode_label(sample.label)) for sample in opened.samples} == set(range(pictures))


def test_from_fog_to_the_unlabelled_night_and_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    layouts.acdc(tmp_path)
    networks = "networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}"
    stage = f"{networks}, steps: 2, batch: 1, crop: [32, 32]"
    Path("night.yaml").write_text(f"""
task: {{name: segmentation, labels: cityscapes}}
runtime: {{cpu: true, workers: 0, log_every: 1}}
stages:
  source: {{kind: supervise, data: {{base: acdc, conditions: [fog]}}, method: source_only, {stage}}}
  night:
    {{kind: align, source: {{base: acdc, conditions: [fog]}}, target: {{base: acdc, split: test, conditions: [night]}},
    method: self_training, ema: 0.9, {stage}}}
  evaluate:
    kind: evaluate
    data: {{base: acdc, split: val}}
    rows: {{source only: {{from: source}}, night: {{from: night}}}}
""")
    assert main(["night.yaml"]) == 0
    words = ["evaluate", "night", "--stage", "night", "--data", "acdc", "--split", "test", "--cpu"]
    assert main([*words, "--format-submission", "labelTrainIds"]) == 0
    sent = sorted(path.name for path in Path("labelTrainIds").iterdir())
    assert sent == ["GOPR0351_frame_000003_rgb_anon.png", "GOPR0475_frame_000003_rgb_anon.png"]
    assert main(words) == 2
    assert "folder 'gt/*/test' is missing" in capsys.readouterr().err
