"""The report of a classification run: its tables, images and derived statements."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.stages.report import label_agreement
from pipelines.stages.report.content import stage_names
from segda import label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, write_json
from segda.artefacts.store import Store
from segda.data.dataset import Sample
from segda.data.prefetch import Workers
from segda.export.layout import Entry
from segda.export.picture import Picture
from segda.export.shards import Shards
from segda.report.pictures import RIGHT, painted
from tests.unit.pipelines import colours


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return colours.run(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="module")
def report(store: Store) -> Path:
    return store.root / store.read_lock("colours")["stages"]["report"]["folder"]


def test_it_shows_accuracy_and_no_iou(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "accuracy in percent" in page
    assert "IoU" not in re.sub(r"base64,[^\"]*", "", page)
    assert json.loads((report / "table.json").read_text())["measure"] == "accuracy"


def test_predictions_samples_and_features_stand_beside_and_in_the_page(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    for name, title in (
        ("predictions", '"pictures">Before and after'), ("samples", '"translation">Translation and reconstruction'),
        ("embedding", '"embedding">Features'),
    ):  # fmt: skip
        assert f"<h2 id={title}</h2>" in page
        image = Image.open(report / f"{name}.png")
        assert np.asarray(image.convert("RGB")).std() > 10
    assert not (report / "pictures.png").exists(), "class maps are for segmentation only"


def test_as_many_predictions_as_asked_for(report: Path) -> None:
    width, _ = Image.open(report / "predictions.png").size
    assert width == 6 * (96 + 6) + 6


def test_rows_of_both_domains_with_their_translations(report: Path) -> None:
    """Three rows a domain (original, translation, reconstruction), so six rows of tiles 96 pixels high."""
    _, height = Image.open(report / "samples.png").size
    assert height == 6 * (96 + 6) + 6


def test_it_says_how_to_load_the_network_after_adaptation(report: Path) -> None:
    page = html.unescape((report / "report.html").read_text(encoding="utf-8"))
    codes = re.findall(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", page, flags=re.DOTALL)
    (after,) = report.parent.glob("align-*")
    assert codes == [
        f'import segda\n\npredictor = segda.load("runs/{after.name}")\nprediction = predictor("image.jpg")',
        f"segda export-network runs/{after.name} -o network.onnx",
    ], "segda predict refuses classes of whole images"


def write_stage(folder: Path, kind: str, stage: str, inputs: dict[str, Any], config: dict[str, Any]) -> Path:
    """A finished stage that others can build on."""
    folder.mkdir(parents=True)
    manifests.write(folder, Manifest(stage, kind, 1, "0" * 64, config, inputs, {}))
    return folder


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export of two 4x8 images, road on the left and sky on the right; the translation of the second is all red.

    The judge predicts sky where an image is blue and road elsewhere, so the sky of the second is lost.
    """
    data = tmp_path / "data"
    for name in ("images", "labels"):
        (data / name).mkdir(parents=True)
    export = write_stage(
        tmp_path / "runs" / "export-0", "export", "adapted",
        {"judge": {"stage": "source", "kind": "supervise", "key": "1", "folder": "supervise-0", "output": None}},
        {"data": {"name": "folder", "root": str(data), "split": "train", "images": "images", "labels": "labels",
                  "classes": {"0": "road", "1": "sky"}}, "task": {"name": "segmentation", "labels": "cityscapes"}},
    )  # fmt: skip
    write_stage(tmp_path / "runs" / "supervise-0", "supervise", "source", {}, {})
    (export / "images").mkdir()
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, :4, 0] = image[:, 4:, 2] = 200
    for key, translated in (("a", image), ("b", np.full_like(image, (200, 0, 0)))):
        Image.fromarray(image).save(data / "images" / f"{key}.png")
        Image.fromarray((image[:, :, 2] > 0).astype(np.uint8)).save(data / "labels" / f"{key}.png")
        Image.fromarray(translated).save(export / "images" / f"{key}.png")
    pairs = ["agreement", "before", "after"]
    shares = {"a": (1.0, 1.0, 1.0), "b": (0.25, 1.0, 0.25)}
    write_json(export / "agreement.json", {
        "pairs": pairs, "minimum_agreement": 0.2, "dropped": [], "worst": ["b", "a"],
        "mean": dict(zip(pairs, (0.625, 1.0, 0.625), strict=True)),
        "classes": {"road": dict(zip(pairs, (0.66, 1.0, 0.66), strict=True)), "car": dict.fromkeys(pairs)},
        "images": {key: {**dict(zip(pairs, values, strict=True)), "classes": {}} for key, values in shares.items()},
    })  # fmt: skip

    class Judge:
        def __init__(self, folder: Path, manifest: Manifest, device: torch.device) -> None:
            assert folder.name == "supervise-0"

        def predict(self, image: np.ndarray, size: tuple[int, ...], domain: str) -> np.ndarray:
            assert (size, domain) == ((4, 8), "source")
            return np.where(image[:, :, 2] > 0, 10, 0).astype(np.uint8)

    monkeypatch.setattr(label_agreement, "load_predictor", Judge)
    return export


def test_the_images_that_lost_most_are_shown_with_what_was_lost(exported: Path) -> None:
    (export,) = label_agreement.of_exports({exported: manifests.load(exported)}, 1, torch.device("cpu"))
    assert (export.stage, export.mean, export.minimum, export.dropped) == ("adapted", [0.625, 1.0, 0.625], 0.2, 0)
    assert export.classes == [("road", [0.66, 1.0, 0.66]), ("car", [None] * 3)]
    assert [key for key, _ in export.worst] == ["b", "a"]
    (row,) = export.pictures
    assert row.name == "b: agreement 25.0"
    assert [picture.title for picture in row.pictures] == [
        "source",
        "label",
        "predicted before",
        "translated",
        "predicted after",
        "changed by translation",
    ]
    changed = painted(row.pictures[-1], label_space.load("cityscapes"))
    road = label_space.load("cityscapes").palette[0]
    assert (changed[:, :4] == RIGHT).all(), "the road is still a road"
    assert (changed[:, 4:] == road).all(), "the sky became one"


def test_an_image_that_was_left_out_has_no_translation_to_show(exported: Path) -> None:
    (exported / "images" / "b.png").unlink()
    (export,) = label_agreement.of_exports({exported: manifests.load(exported)}, 2, torch.device("cpu"))
    assert [[picture.pixels is None for picture in row.pictures] for row in export.pictures] == [
        [False] * 3 + [True] * 3,
        [False] * 6,
    ]


def test_an_image_that_was_left_out_is_translated_again_where_a_network_did_it(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (exported / "images" / "b.png").unlink()
    content = json.loads((exported / "agreement.json").read_text())
    write_json(exported / "agreement.json", {**content, "dropped": ["b"], "ignored": {"pixels": 0.125}})
    manifest = manifests.load(exported)
    manifest.inputs["translator"] = {"folder": "translate-0"}
    manifest.config.update(tile=[32, 64], overlap=16)
    write_stage(exported.parent / "translate-0", "translate", "translate", {}, {})

    class Reddening:
        def __init__(self, folder: Path, manifest: Manifest, device: torch.device, tiling: Any) -> None:
            assert (folder.name, tiling) == ("translate-0", ((32, 64), 16))

        def translate(self, images: list[np.ndarray]) -> list[np.ndarray]:
            return [np.full_like(image, (200, 0, 0)) for image in images]

    monkeypatch.setattr(label_agreement, "load_translator", Reddening)
    (export,) = label_agreement.of_exports({exported: manifest}, 2, torch.device("cpu"))
    assert [row.name for row in export.pictures] == ["b: agreement 25.0, left out", "a: agreement 100.0"]
    assert (export.dropped, export.ignored) == (1, 0.125)
    for picture in export.pictures[0].pictures:
        assert picture.pixels is not None, picture.title


@pytest.mark.parametrize("layout", ["source", "huggingface", "webdataset", "parquet"])
def test_the_pictures_are_found_in_every_layout(exported: Path, layout: str) -> None:
    (expected,) = label_agreement.of_exports({exported: manifests.load(exported)}, 2, torch.device("cpu"))
    manifest = manifests.load(exported)
    manifest.config.update(layout=layout, shard=1)
    data = exported / "data"
    data.mkdir()
    if layout in ("webdataset", "parquet"):
        form = Shards(Picture(), 1, 2, layout == "parquet")
        for number, key in enumerate("ab"):
            sample, image = Sample(key, Path(), None), np.asarray(Image.open(exported / "images" / f"{key}.png"))
            with Workers(0) as workers:
                form.write(data, number, [Entry(sample, image, np.zeros((4, 8), np.uint8))], workers)
        shutil.rmtree(exported / "images")
    else:
        (exported / "images").rename(data / "images")
    (export,) = label_agreement.of_exports({exported: manifest}, 2, torch.device("cpu"))
    for row, other in zip(export.pictures, expected.pictures, strict=True):
        for picture, same in zip(row.pictures, other.pictures, strict=True):
            assert picture.title == same.title
            np.testing.assert_array_equal(picture.pixels, same.pixels)
    # An image that was dropped.
    for file in (data / "images").glob("b.*") if (data / "images").is_dir() else data.glob("train-00001*"):
        file.unlink()
    (left,) = label_agreement.of_exports({exported: manifest}, 1, torch.device("cpu"))
    assert left.pictures[0].pictures[3].pixels is None


def test_an_export_without_a_judge_has_nothing_to_show(exported: Path) -> None:
    (exported / "agreement.json").unlink()
    assert label_agreement.of_exports({exported: manifests.load(exported)}, 2, torch.device("cpu")) == []


def test_the_chain_names_its_stages_and_data(report: Path) -> None:
    """All stages behind the report in topological order; the evaluation has the rows before and after."""
    page = (report / "report.html").read_text(encoding="utf-8")
    stages = page[page.index('<h2 id="stages">') : page.index('<h2 id="protocol">')]
    rows = re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td><td>(.*?)</td>', stages)
    assert rows == [("before", "supervise", "–"), ("after", "align", "–"), ("evaluate", "evaluate", "before, after")]
    assert page.count('<table class="confusion">') == 2
    data = page[page.index("<summary>Data</summary>") :]
    users = re.findall(r'<th scope="row">arrays</th><td>train</td><td>(.*?)</td><td><code>[0-9a-f]{64}</code>', data)
    assert users == ["before, after", "after", "evaluate"], "the target without its labels, and with them"


def test_stages_of_other_runs_that_are_called_alike_are_told_apart(tmp_path: Path) -> None:
    first = write_stage(tmp_path / "supervise-1", "supervise", "source", {}, {})
    origin = {"stage": "source", "kind": "supervise", "key": "1", "folder": "supervise-1", "output": None}
    inputs = {"init": origin, "data": {"dataset": "x"}}
    second = write_stage(tmp_path / "supervise-2", "supervise", "source", inputs, {})
    stages = manifests.upstream(second, first)
    assert [folder.name for folder in stages] == ["supervise-1", "supervise-2"]
    assert list(stage_names(stages).values()) == ["source (supervise-1)", "source (supervise-2)"]
    assert stage_names({first: stages[first]}) == {first: "source"}
