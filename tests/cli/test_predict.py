"""`segda predict`: images and folders through the networks of a finished run."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaging.version import Version
from PIL import Image

from pipelines.__main__ import main
from pipelines.commands.predict import KINDS, default_row
from segda.artefacts.manifest import Manifest
from segda.evaluation import evaluate, predict
from tests.cli.conftest import Refused
from tests.configs.layouts import write_image


@pytest.fixture(autouse=True)
def finished(data: Path) -> Path:
    """The run `job` with `source` finished, and folders of images."""
    assert main(["job.yaml", "--only", "source"]) == 0
    write_image(Path("photos/1.png"), 36, 48, 0)
    write_image(Path("photos/town/2.jpg"), 33, 51, 1)
    return next(Path("runs").glob("supervise-*"))


def files(folder: str) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_folder_is_predicted_with_its_names(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "job", "photos", "-o", "seen", "--cpu"]) == 0
    assert "2 files predicted by 'source only': seen" in capsys.readouterr().out
    assert files("seen") == {
        "predictions.json", "colour/1.png", "overlay/1.jpg", "ids/1.png", "colour/town/2.png", "overlay/town/2.jpg",
        "ids/town/2.png",
    }  # fmt: skip
    ids = cv2.imread("seen/ids/town/2.png", cv2.IMREAD_UNCHANGED)
    assert ids.shape == (33, 51)
    assert ids.max() < 19
    content = json.loads(Path("seen/predictions.json").read_text())
    assert (content["row"], content["stage"], content["label_space"]) == ("source only", finished.name, "cityscapes")


def test_what_was_stored_lying_is_predicted_upright(finished: Path) -> None:
    upright = Image.open("photos/1.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save("photos/lying.png", exif=exif)
    assert main(["predict", "job", "photos/1.png", "photos/lying.png", "-o", "seen", "--cpu"]) == 0
    for kind in ("ids/{}.png", "colour/{}.png", "overlay/{}.jpg"):
        one, other = (Image.open(Path("seen") / kind.format(name)) for name in ("1", "lying"))
        assert other.size == upright.size
        assert other.getexif().get(0x0112) is None
        assert np.array_equal(np.asarray(one), np.asarray(other))


def test_pictures_are_read_as_those_of_the_training(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml", "--only", "source", "--set", "stages.source.data.bands=[3, 2, 1]"]) == 0
    [run] = set(Path("runs").glob("supervise-*")) - {finished}
    red = np.zeros((36, 48, 3), np.uint8)
    red[:, :, 0] = 200
    Image.fromarray(red).save("photos/red.png")
    assert main(["predict", str(run), "photos/red.png", "-o", "seen", "--cpu"]) == 0
    assert "pictures are read as in training, by bands: [3, 2, 1]" in capsys.readouterr().out
    overlay = np.asarray(Image.open("seen/overlay/red.jpg")).astype(int)
    seen = 2 * overlay - np.asarray(Image.open("seen/colour/red.png"))
    assert np.abs(seen.mean(axis=(0, 1)) - [0, 0, 200]).max() < 20  # blue, as the networks saw it
    film = cv2.VideoWriter("film.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 5, (48, 36))
    film.write(red)
    film.release()
    assert main(["predict", str(run), "film.mp4", "-o", "film", "--cpu"]) == 2
    assert "film.mp4: a video, but the networks were trained on pictures read by bands" in capsys.readouterr().err
    assert not Path("film").exists()


def test_every_kind_that_is_read_is_predicted_and_others_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    kind = "gif" if Version(cv2.__version__) >= Version("4.12") else "bmp"
    Image.new("RGB", (16, 12)).save(f"photos/1b.{kind}")
    Path("photos/town/3.heic").touch()
    assert main(["predict", "job", "photos", "-o", "seen", "--cpu", "--kind", "ids"]) == 0
    assert files("seen") == {"predictions.json", "ids/1.png", "ids/1b.png", "ids/town/2.png"}
    said = capsys.readouterr().out
    assert "photos: 1 pictures of a kind that is not read are left out, such as 3.heic" in said
    assert "nearly black" not in said
    assert cv2.imwrite("dark.png", np.full((12, 16, 3), 3000, np.uint16))
    assert main(["predict", "job", "dark.png", "-o", "seen", "--cpu", "--kind", "ids"]) == 0
    assert "warning: dark.png holds numbers of 16 bits" in capsys.readouterr().out


def test_a_picture_one_kind_and_augmentation(finished: Path) -> None:
    words = ["predict", str(finished), "photos/1.png", "-o", "seen", "--cpu", "--kind", "ids"]
    assert main(words) == 0
    plain = cv2.imread("seen/ids/1.png", cv2.IMREAD_UNCHANGED)
    assert files("seen") == {"predictions.json", "ids/1.png"}
    assert main([*words, "--flip", "--scales", "0.5", "1.5", "--resize", "32", "64"]) == 0
    augmented = cv2.imread("seen/ids/1.png", cv2.IMREAD_UNCHANGED)
    assert augmented.shape == plain.shape == (36, 48)
    assert (augmented != plain).any()
    rule = json.loads(Path("seen/predictions.json").read_text())["prediction_rule"]
    assert "scales 0.5, 1.5; mirrored" in rule
    assert np.unique(augmented).size > 1


def test_what_cannot_be_done_is_one_line(refused: Refused) -> None:
    words = ["predict", "job", "photos", "-o", "seen", "--cpu"]
    assert "no such file or folder" in refused("predict", "job", "nowhere", "-o", "seen", finished=1)
    assert "no finished row or stage 'sorce'" in refused(*words, "--stage", "sorce", finished=1)
    assert "--resize" in refused(*words, "--resize", "0", "5", finished=1)
    assert "never seen" in refused(*words, "--window", "8", "8", "--stride", "9", "9", finished=1)
    assert not Path("seen").exists()


@pytest.mark.parametrize("command", [["predict", "job", "photos", "-o", "seen"], ["evaluate", "job", "--data", "gta5"]])
def test_out_of_memory_names_windows(command: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def starve(*arguments: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you")

    monkeypatch.setattr(predict, "predict", starve)
    monkeypatch.setattr(evaluate, "predict", starve)
    line = refused(*command, "--cpu", finished=1)
    assert "does not fit into memory (DefaultCPUAllocator: can't allocate memory" in line
    assert "use windows, which take the memory of one at a time: --window 512 1024" in line
    line = refused(*command, "--cpu", "--window", "32", "32", finished=1)
    assert "use smaller windows than --window 32 32" in line


def test_without_a_name_the_last_row_that_is_no_oracle_predicts() -> None:
    def row(labels: str) -> tuple[Path, Manifest]:
        return Path(), Manifest("s", "supervise", 1, "0", {"method": {"labels": labels}}, {}, {})

    assert default_row({"source only": row("source"), "both": row("source"), "oracle": row("target")}) == "both"
    assert default_row({"oracle": row("target")}) == "oracle"
    assert KINDS == predict.KINDS
