"""The export stage: layouts and formats that other libraries read, the judge, and the errors."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from pipelines.stages.export.translation import load_translator
from pipelines.stages.report.content import tiling_of_export
from pipelines.stages.report.samples import Samples, translation_rows
from segda import label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.store import Store
from segda.config.lookup import module
from segda.data.readers import adapted, gta5
from segda.engine.session import Session
from segda.errors import ConfigError, DataError
from tests.cli.conftest import JOB
from tests.configs import layouts
from tests.pipelines import tiny
from tests.resume import ranks

SPACE = label_space.load("cityscapes")


def job(labels: str = "cityscapes", judged: bool = False, **options: Any) -> Path:
    """A pipeline whose stage `adapted` exports, optionally with a judge trained for two steps."""
    small: dict[str, Any] = {"encoder": {"name": "small", "width": 4, "blocks": 1}, "head": {"name": "linear"}}
    stages: dict[str, Any] = {}
    if judged:
        shared = {"networks": small, "steps": 2, "batch": 2, "crop": [32, 32]}
        stages["source"] = {"kind": "supervise", "data": {"base": "gta5"}, "method": "source_only", **shared}
        options["judge"] = {"from": "source"}
    settings = {"data": {"base": "gta5"}, "method": {"base": "fda"}, "target": {"base": "cityscapes"}, **options}
    stages["adapted"] = {"kind": "export", **{name: value for name, value in settings.items() if value is not None}}
    content = {
        "task": {"name": "segmentation", "labels": labels},
        "runtime": {"workers": 2, "cpu": True, "save_every": 1, "log_every": 1},
        "stages": stages,
    }
    file = Path("tiny.yaml").absolute()
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def exported(runs: Path = Path("runs"), **options: Any) -> Path:
    """Run `job(**options)` and return the export's folder."""
    tiny.run(job(**options), runs)
    return tiny.folder(runs, "adapted")


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of an export."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("manifest.json", ".lock")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


@pytest.mark.parametrize(("name", "ending"), [("png", ".png"), ("webp", ".webp"), ("jpeg", ".jpg")])
def test_formats(data: Path, name: str, ending: str) -> None:
    plain = exported(Path("plain"))
    folder = exported(Path("other"), format=name)
    opened = adapted.build(folder, SPACE)
    assert [sample.key for sample in opened.samples] == ["00001", "00002", "00003", "20801"]
    before = gta5.build(data / "gta5", SPACE)
    for index, sample in enumerate(opened.samples):
        assert np.array_equal(opened.read(index)[1], before.read(index)[1])  # type: ignore[arg-type]
        assert sample.image.suffix == ending
        assert Image.open(sample.image).format == name.upper()
        off = np.abs(pixels(sample.image).astype(int) - pixels(plain / "images" / f"{sample.key}.png"))
        assert off.max() == 0 if ending != ".jpg" else off.mean() < 3


@pytest.mark.promise("loading-changes-nothing")
def test_threads_change_no_byte(data: Path) -> None:
    file = job()
    trees = []
    for workers in (0, 3):
        tiny.run(file, Path(f"runs{workers}"), [f"runtime.workers={workers}"])
        trees.append(tree(tiny.folder(Path(f"runs{workers}"), "adapted")))
        trees[-1].pop("stage.json")  # contains the number of workers
    assert trees[0] == trees[1]
    assert len(trees[0]) == 4 + 4 + 1


def camvid(root: Path) -> dict[str, Any]:
    for number in range(3):
        layouts.write_image(root / "train" / f"seq{number}.png", 36, 48, number)
        label = root / "trainannot" / f"seq{number}.png"
        label.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(layouts.ids(36, 48, number, tuple(range(12)))).save(label)
    return {"name": "camvid", "root": str(root)}


def carla(root: Path) -> dict[str, Any]:
    for number in range(3):
        layouts.write_image(root / "CameraRGB" / "town" / f"{number}.jpg", 60, 80, number)
        channels = np.zeros((60, 80, 3), np.uint8)
        channels[:, :, 2] = layouts.ids(60, 80, number, tuple(range(13)))
        label = root / "CameraSeg" / "town" / f"{number}.png"
        label.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(label), channels)
    return {"name": "carla", "root": str(root)}


@pytest.mark.promise("other-readers")
@pytest.mark.parametrize("name", ["gta5", "cityscapes", "camvid", "carla"])
@pytest.mark.parametrize("resize", [None, [24, 40]])
def test_the_sources_own_layout_is_read_by_its_own_reader(data: Path, name: str, resize: list[int] | None) -> None:
    """Same paths below the root, labels byte for byte, images translated and resized to their label."""
    made = {
        "gta5": lambda: {"name": "gta5", "root": "gta5"},
        "cityscapes": lambda: {"name": "cityscapes", "root": "cityscapes", "split": "val"},
        "camvid": lambda: camvid(data / "camvid"),
        "carla": lambda: carla(data / "carla"),
    }[name]()
    labels = "camvid" if name == "camvid" else "cityscapes"
    target = {"base": "gta5" if name == "cityscapes" else "cityscapes"}
    folder = exported(labels=labels, layout="source", data={**made, "resize": resize}, target=target) / "data"
    split = made.get("split", "train")
    build, space = module("segda.data.readers", name).build, label_space.load(labels)
    before, after = build(data / name, space, split), build(folder, space, split)
    assert [sample.key for sample in after.samples] == [sample.key for sample in before.samples]
    expected = {path.relative_to(data / name) for sample in before.samples for path in sample[1:]}
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == expected
    for index, (old, new) in enumerate(zip(before.samples, after.samples, strict=True)):
        assert new.label.read_bytes() == old.label.read_bytes()
        assert new.label.samefile(old.label)
        assert Image.open(new.image).size == Image.open(new.label).size
        if old.key != "20801":  # whose label is resized to the image when read
            assert np.array_equal(before.read(index)[1], after.read(index)[1])
        assert Image.open(new.image).format == Image.open(old.image).format
        changed = cv2.resize(pixels(new.image), (40, 24)).astype(int) - cv2.resize(pixels(old.image), (40, 24))
        assert np.abs(changed).mean() > 1, "translated"


def rows(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Image and label of an export in segda's own layout, by key."""
    opened = adapted.build(folder, SPACE)
    return {s.key: (pixels(s.image), np.asarray(Image.open(s.label))) for s in opened.samples if s.label is not None}


def same(actual: dict[str, tuple[Any, Any]], expected: dict[str, tuple[np.ndarray, np.ndarray]]) -> bool:
    return sorted(actual) == sorted(expected) and all(
        np.array_equal(np.asarray(image.convert("RGB")), expected[key][0])
        and np.array_equal(np.asarray(label), expected[key][1])
        for key, (image, label) in actual.items()
    )


def hugging_face() -> Any:
    """Hugging Face datasets without tqdm's monitor thread, because later tests fork."""
    from tqdm import tqdm

    tqdm.monitor_interval = 0
    return pytest.importorskip("datasets")


@pytest.mark.promise("other-readers")
@pytest.mark.parametrize("name", ["huggingface", "parquet"])
def test_hugging_face_datasets_reads_image_folder_and_parquet(
    data: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = hugging_face()
    expected = rows(exported(Path("plain")))
    root = exported(layout=name, shard=3) / "data"
    if name == "parquet":
        assert sorted(path.name for path in root.iterdir()) == [
            "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"
        ]  # fmt: skip
        opened = datasets.load_dataset("parquet", data_files=str(root / "*.parquet"), split="train", cache_dir="cache")
    else:
        opened = datasets.load_dataset("imagefolder", data_dir=str(root), split="train", cache_dir="cache")
    assert {column: type(kind).__name__ for column, kind in opened.features.items()} == {
        "key": "Value", "image": "Image", "label": "Image"
    }  # fmt: skip
    assert same({row["key"]: (row["image"], row["label"]) for row in opened}, expected)


@pytest.mark.promise("other-readers")
def test_webdataset_reads_its_shards(data: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    (data / "gta5/images/00001.png").rename(data / "gta5/images/a.b.png")
    (data / "gta5/labels/00001.png").rename(data / "gta5/labels/a.b.png")
    expected = rows(exported(Path("plain")))
    folder = exported(layout="webdataset", shard=3, format="webp") / "data"
    assert sorted(path.name for path in folder.iterdir()) == ["train-00000.tar", "train-00001.tar"]
    opened = webdataset.WebDataset([str(path) for path in sorted(folder.iterdir())], shardshuffle=False).decode("pil")
    samples = {each["json"]["key"]: (each["image.webp"], each["label.png"].convert("L")) for each in opened}
    assert "a.b" in samples
    assert same(samples, expected)


def test_digits_go_into_every_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Image labels are numbers, not files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    data = {}
    for domain in ("source", "target"):
        images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
        (tmp_path / domain).mkdir()
        np.savez(tmp_path / domain / "all.npz", images=images, labels=np.array([3, 1, 4, 1]))
        data[domain] = {"name": "arrays", "root": str(tmp_path / domain), "file": "all.npz"}
    options = {"labels": "digits", "data": data["source"], "target": data["target"]}
    datasets, actual = hugging_face(), {}
    folder = exported(layout="huggingface", **options) / "data"
    opened = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir="cache")
    actual["huggingface"] = {row["key"]: row["label"] for row in opened}
    folder = exported(layout="parquet", **options) / "data"
    opened = datasets.load_dataset("parquet", data_files=str(folder / "*"), split="train", cache_dir="cache")
    actual["parquet"] = {row["key"]: row["label"] for row in opened}
    with tarfile.open(exported(layout="webdataset", **options) / "data" / "train-00000.tar") as archive:
        names = [name for name in archive.getnames() if name.endswith(".cls")]
        actual["webdataset"] = {name[:-4]: int(archive.extractfile(name).read()) for name in names}  # type: ignore[union-attr]
    expected = {"00000": 3, "00001": 1, "00002": 4, "00003": 1}
    assert actual == dict.fromkeys(actual, expected)
    with pytest.raises(ConfigError, match="keeps its images in the archive"):
        exported(layout="source", **options)


@pytest.mark.promise("export-over-processes", "same-shards")
@pytest.mark.distributed
@pytest.mark.parametrize("layout", ["segda", "webdataset"])
def test_processes_share_the_work_and_change_no_byte(data: Path, layout: str) -> None:
    """Shards of one image, split between two processes that both run the judge; one image is dropped."""
    report = json.loads((exported(judged=True) / "agreement.json").read_text())
    least = report["images"][report["worst"][1]]["agreement"]
    options = {"minimum_agreement": least, "on_disagreement": "drop", "layout": layout, "shard": 1}
    one = tree(exported(Path("one"), judged=True, **options))
    shutil.copytree(tiny.folder(Path("one"), "source"), Path("two") / tiny.folder(Path("one"), "source").name)
    assert not ranks.killed(lambda: tiny.run(Path("tiny.yaml"), Path("two")), 0, (), world=2)
    assert tree(tiny.folder(Path("two"), "adapted")) == one


@pytest.mark.promise("export-complete")
def test_what_an_export_says_of_itself(data: Path) -> None:
    folder = exported()
    index = json.loads((folder / "dataset.json").read_text())
    assert (index["space"], index["layout"], index["format"]) == ("cityscapes", "segda", "png")
    assert index["source"]["dataset"] == "gta5"
    assert len(index["source"]["fingerprint"]) == 64
    assert index["generator"] == {"method": "FDA", "published": "Yang and Soatto, CVPR 2020"}
    assert index["config"]["data"]["root"] == "gta5"
    assert "runtime" not in index["config"]
    image = folder / "images" / "00001.png"
    described = {"bytes": image.stat().st_size, "sha256": hashlib.sha256(image.read_bytes()).hexdigest()}
    assert index["files"]["images/00001.png"] == described
    assert len(index["files"]) == 8


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"minimum_agreement": 0.5}, "minimum_agreement: no judge measures"),
        ({"on_disagreement": "drop"}, "on_disagreement: drop: needs a limit"),
        ({"minimum_agreement": "relatve"}, "minimum_agreement: found 'relatve'"),
        ({"lost_pixels": "ignore"}, "lost_pixels: ignore: no judge recognises"),
        ({"lost_pixels": "ignore", "judged": True, "layout": "source"}, "lost_pixels: ignore: with layout source"),
        ({"tile": [64, 64]}, "tile: a method without training"),
        ({"format": "tiff"}, "format"),
        ({"layout": "source", "format": "jpeg"}, "format: jpeg: with layout: source the images keep their names"),
    ],
)
def test_what_does_not_go_together_is_refused(data: Path, options: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        exported(**options)


def test_another_layout_than_its_own_is_refused_by_the_adapted_reader(data: Path) -> None:
    folder = exported(layout="source")
    with pytest.raises(DataError, match=r"layout 'source', for other readers; open .*/data with 'gta5'"):
        adapted.build(folder, SPACE)


def test_a_truncated_image_is_refused_by_the_adapted_reader(data: Path) -> None:
    folder = exported()
    image = folder / "images" / "00002.png"
    image.write_bytes(image.read_bytes()[:-9])
    with pytest.raises(DataError, match=r"00002\.png: has \d+ bytes, dataset\.json says"):
        adapted.build(folder, SPACE)
    assert [problem.kind for problem in adapted.build(folder, SPACE, strict=False).problems] == ["another size"]


@pytest.mark.promise("check-export")
@pytest.mark.parametrize("layout", ["segda", "source", "webdataset"])
def test_check_names_every_file_that_is_not_as_it_was(
    data: Path, layout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = exported(layout=layout, shard=2, hard_links=False)
    capsys.readouterr()
    assert main(["check", str(folder)]) == 0
    assert f"layout {layout}, label space cityscapes: 4 images" in capsys.readouterr().out
    names = sorted(json.loads((folder / "dataset.json").read_text())["files"])
    altered, deleted, strange = names[0], names[1], f"{names[0]}.orig"
    content = bytearray((folder / altered).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / altered).write_bytes(content)
    (folder / deleted).unlink()
    (folder / strange).touch()
    assert main(["check", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [
        f"differs   {altered}: its content has changed", f"missing   {deleted}", f"too many  {strange}",
        "problems found: 3",
    ]  # fmt: skip


@pytest.mark.promise("unfinished-export")
def test_check_refuses_an_export_that_is_not_finished(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = exported()
    (folder / "dataset.json").unlink()
    assert main(["check", str(folder)]) == 2
    assert "not a finished export" in capsys.readouterr().err


def test_tiles_of_a_translator(finished: Path, tmp_path: Path, job: Path) -> None:
    """Instance normalisation sees only the tile, so tiles differ slightly from the whole image."""
    runs = tiny.without(finished, tmp_path / "runs", "adapted")
    settings = ["stages.adapted.tile=[64,64]", "stages.adapted.overlap=32"]
    loaded = pipelines.load(str(job), settings)
    run_pipeline(loaded, Store(runs), Session(cpu=True), ["adapted"])
    whole, tiled = tiny.folder(finished, "adapted"), tiny.folder(runs, "adapted")
    assert whole.name != tiled.name
    for image in (whole / "images").iterdir():
        off = np.abs(pixels(image).astype(int) - pixels(tiled / "images" / image.name))
        assert 0 < off.mean() < 40


@pytest.mark.parametrize("tile", [None, [64, 64]])
def test_the_report_shows_what_the_export_wrote(data: Path, tile: list[int] | None) -> None:
    """Images of 52x96 are padded, which changes the statistics of the translator's normalisation."""
    export = {"kind": "export", "data": {"base": "gta5"}, "translator": {"from": "translate"}}
    tiles = {} if tile is None else {"tile": tile, "overlap": 32}
    content = yaml.safe_load(JOB)
    stages = {"translate": content["stages"]["translate"], "adapted": {**export, **tiles}}
    Path("tiny.yaml").write_text(yaml.safe_dump({**content, "stages": stages}))
    tiny.run(Path("tiny.yaml"), Path("runs"))
    folder, translator = tiny.folder(Path("runs"), "adapted"), tiny.folder(Path("runs"), "translate")
    stages = manifests.upstream(folder)
    tiling = tiling_of_export(stages, translator)
    samples = Samples("source", gta5.build(data / "gta5", SPACE), range(3), None)
    loaded = load_translator(translator, stages[translator], torch.device("cpu"), tiling)
    title, tiles = translation_rows([samples], loaded)[1]
    assert title == "source as target"
    for tile, name in zip(tiles, ("00001", "00002", "00003"), strict=True):
        np.testing.assert_array_equal(tile.pixels, pixels(folder / "images" / f"{name}.png"))
