"""Unusable data: one line with the file and the remedy, at or before the first read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from segda.label_spaces.cityscapes import EVALUATED
from tests.cli.conftest import Refused
from tests.configs import layouts


def test_missing_root(data: Path, refused: Refused) -> None:
    shutil.move(data / "gta5", data / "gta6")
    line = refused("job.yaml")
    assert "stages.source" in line
    assert str(data / "gta5") in line
    assert "SEGDA_DATA" in line
    assert not list(Path("runs").glob("*/stage.json"))


@pytest.mark.promise("missing-data")
def test_a_later_stage_without_data_is_refused_before_the_first_begins(data: Path, refused: Refused) -> None:
    shutil.rmtree(data / "cityscapes" / "leftImg8bit" / "val")
    line = refused("job.yaml")
    assert "stages.evaluate" in line
    assert "leftImg8bit/val" in line
    assert not list(Path("runs").glob("*/stage.json"))


def test_empty_split(data: Path, refused: Refused) -> None:
    for image in (data / "cityscapes" / "leftImg8bit" / "val").rglob("*.png"):
        image.unlink()
    for label in (data / "cityscapes" / "gtFine" / "val").rglob("*.png"):
        label.unlink()
    line = refused("job.yaml")
    assert f"{data / 'cityscapes'}: no images found" in line
    assert "layout" in line
    assert not list(Path("runs").glob("*/stage.json"))


@pytest.mark.promise("unpaired-files")
def test_image_without_label(data: Path, refused: Refused) -> None:
    (data / "gta5" / "labels" / "00002.png").unlink()
    line = refused("job.yaml")
    assert "1 x image without label (images/00002.png)" in line
    assert "exclude" in line


@pytest.mark.promise("unpaired-files")
def test_label_without_image(data: Path, refused: Refused) -> None:
    (data / "gta5" / "images" / "00003.png").unlink()
    line = refused("job.yaml")
    assert "1 x label without image (labels/00003.png)" in line
    assert "exclude" in line


@pytest.mark.promise("bad-image")
@pytest.mark.parametrize("workers", [0, 1])
def test_size_mismatch(data: Path, refused: Refused, workers: int) -> None:
    label = data / "gta5" / "labels" / "00001.png"
    layouts.write_palette_label(label, layouts.ids(20, 30, 0, (7,)))
    line = refused("job.yaml", "--only", "source", "--workers", str(workers))
    assert str(label) in line
    assert "20x30" in line
    assert "52x96" in line


@pytest.mark.promise("bad-image")
@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("workers", [0, 1])
def test_truncated_png(data: Path, refused: Refused, kind: str, workers: int) -> None:
    file = data / "gta5" / kind / "00002.png"
    file.write_bytes(file.read_bytes()[:-40])
    line = refused("job.yaml", "--only", "source", "--workers", str(workers))
    assert f"{file}: not a readable image" in line
    assert "fetch the file again" in line


@pytest.mark.promise("bad-image")
@pytest.mark.parametrize("content", [b"", b"not found"])
def test_a_file_that_is_no_picture(data: Path, refused: Refused, content: bytes) -> None:
    file = data / "gta5" / "images" / "00001.png"
    file.write_bytes(content)
    assert f"{file}: not a readable image" in refused("job.yaml", "--only", "source")


@pytest.mark.promise("bad-image")
def test_label_id_outside_the_map(data: Path, refused: Refused) -> None:
    label = data / "gta5" / "labels" / "00001.png"
    pixels = np.full((52, 96), 7, dtype=np.uint8)
    pixels[:2] = 77
    Image.fromarray(pixels).save(label)
    line = refused("job.yaml", "--only", "source")
    assert f"{label}: id 77 (192 pixels) outside the id map" in line


def test_a_broken_file_of_the_scored_set(data: Path, refused: Refused) -> None:
    """A few labels are read before the first stage begins."""
    label = next((data / "cityscapes" / "gtFine" / "val").rglob("*_labelIds.png"))
    label.write_bytes(label.read_bytes()[:-30])
    line = refused("job.yaml", "--only", "source", "--only", "evaluate")
    assert str(label) in line


def rewritten(folder: Path, table: dict[int, int], ending: str = "*.png") -> None:
    """Give every label below a folder other ids: those in the table, and 255 for the rest."""
    lookup = np.full(256, 255, dtype=np.uint8)
    lookup[list(table)] = list(table.values())
    for file in folder.rglob(ending):
        pixels = lookup[np.asarray(Image.open(file))]
        layouts.write_palette_label(file, pixels)


TRAIN_IDS = {native: index for index, native in enumerate(EVALUATED)}


@pytest.mark.parametrize(("only", "where", "ending"), [
    ("source", "gta5/labels", "*.png"),
    ("translate", "gta5/labels", "*.png"),
    ("adapted", "gta5/labels", "*.png"),
    ("evaluate", "cityscapes/gtFine/val", "*_labelIds.png"),
])  # fmt: skip
def test_train_ids_in_place_of_label_ids(
    data: Path, refused: Refused, capsys: pytest.CaptureFixture[str], only: str, where: str, ending: str
) -> None:
    rewritten(data / where, TRAIN_IDS, ending)
    name, split = ("cityscapes", "val") if only == "evaluate" else ("gta5", "train")
    line = refused("job.yaml", *[word for stage in ("source", "translate", only) for word in ("--only", stage)])
    assert f"{data / name}: the ids of" in line
    assert "train ids of 'cityscapes'" in line
    assert not list(Path("runs").glob("*/stage.json"))
    assert main(["check", name, "--split", split]) == 1
    assert "wrong labels: 1" in capsys.readouterr().out


def test_a_split_whose_labels_are_dummies(data: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml", "--only", "source"]) == 0
    rewritten(data / "cityscapes/gtFine/val", dict.fromkeys(range(256), 3), "*_labelIds.png")
    line = refused("evaluate", "job", "--data", "cityscapes", "--split", "val", "--cpu", finished=1)
    assert f"{data / 'cityscapes'}: no pixel of 2 labels counts" in line
    assert "no pixel of 2 labels counts" in refused("job.yaml", "--only", "evaluate", finished=1)
    assert main(["check", "cityscapes", "--split", "val"]) == 1
    assert "no problems found" not in capsys.readouterr().out


def test_doubts_are_printed_and_do_not_stop(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rewritten(data / "gta5/labels", {**dict.fromkeys(range(256), 8), 7: 7, 23: 7})
    assert main(["job.yaml", "--only", "source"]) == 0
    assert "warning: " in (out := capsys.readouterr().out)
    assert "17 of 19 classes are absent from 4 labels" in out
    assert main(["evaluate", "job", "--data", "gta5", "--json", "--cpu"]) == 0
    captured = capsys.readouterr()
    json.loads(captured.out)
    assert "17 of 19 classes are absent" in captured.err
    assert main(["check", "gta5"]) == 0
    assert "warning: 17 of 19 classes are absent" in capsys.readouterr().out


def test_pictures_stored_lying(data: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    """The tag is named by `check`, and refused before work unless the config says what it means."""
    image = data / "gta5" / "images" / "00001.png"
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(image).save(image, exif=exif)
    line = refused("job.yaml", "--only", "source")
    assert f"{image}: has EXIF orientation 3" in line
    assert "orientation: apply" in line
    assert main(["check", "gta5"]) == 1
    assert "has EXIF orientation 3" in capsys.readouterr().out
    Path("gta5.yaml").write_text("{name: gta5, root: gta5, orientation: as_stored}")
    assert main(["check", "gta5.yaml"]) == 0
    assert f"{image}: 3, read as stored" in capsys.readouterr().out


@pytest.mark.promise("check-names-all")
def test_check_names_all_faults_at_once(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "gta5" / "labels" / "00002.png").unlink()
    image = data / "gta5" / "images" / "00001.png"
    image.write_bytes(image.read_bytes()[:50])
    layouts.write_palette_label(data / "gta5" / "labels" / "00003.png", layouts.ids(20, 30, 0, (7, 99)))
    assert main(["check", "gta5"]) == 1
    captured = capsys.readouterr()
    for fault in ("image without label: 1", "broken file: 1", "size mismatch: 1", "id outside the map: 1"):
        assert fault in captured.out
    assert "problems found: 4" in captured.out
    assert captured.err == ""
