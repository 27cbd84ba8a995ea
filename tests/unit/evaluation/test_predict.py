"""Predictions as files: classes, file names and sub-folders, complete files, and errors before any work."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import Tensor, nn

from segda.errors import ConfigError, DataError
from segda.evaluation import predict, video
from segda.evaluation.predict import Item, Predictor, find
from segda.label_space import LabelSpace
from segda.tasks import classification, segmentation

SPACE = LabelSpace("colours", ("red", "green", "blue"), ((200, 10, 20), (10, 200, 20), (20, 10, 200)))
TASK = segmentation.build(SPACE)
RED, BLUE = (255, 0, 0), (0, 0, 255)


class Networks:
    """The image's channels are the logits."""

    def __init__(self) -> None:
        self.modules: dict[str, nn.Module] = {}
        self.sizes: list[tuple[int, ...]] = []

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        self.sizes.append(tuple(image.shape[-2:]))
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        return features[-1]


def picture(height: int = 9, width: int = 14) -> np.ndarray:
    """Red left of column 5, blue right of it; RGB."""
    image = np.full((height, width, 3), BLUE, dtype=np.uint8)
    image[:, :5] = RED
    return image


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])
    return path


def read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    return image if image.ndim == 2 else image[..., ::-1]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_names_and_folders_are_kept_and_sizes_too(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png", picture())
    write(tmp_path / "in" / "town" / "b.JPG", picture(33, 51))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    write(tmp_path / "in" / ".hidden.png", picture())
    items, done = find([tmp_path / "in"], tmp_path / "out"), []
    predict.write(Predictor(Networks(), TASK), items, tmp_path / "out", progress=done.append)
    assert files(tmp_path / "out") == {
        "colour/a.png", "overlay/a.jpg", "ids/a.png", "colour/town/b.png", "overlay/town/b.jpg", "ids/town/b.png",
    }  # fmt: skip
    assert done == [1, 2]
    ids = read(tmp_path / "out" / "ids" / "a.png")
    assert ids.dtype == np.uint8
    assert (ids == np.where(np.arange(14) < 5, 0, 2)).all()
    colours = read(tmp_path / "out" / "colour" / "a.png")
    assert (colours[0, 0].tolist(), colours[8, 13].tolist()) == ([200, 10, 20], [20, 10, 200])
    overlay = read(tmp_path / "out" / "overlay" / "a.jpg")
    assert np.abs(overlay[4, 1].astype(int) - [228, 5, 10]).max() < 30, "half of each, up to JPEG compression"
    assert read(tmp_path / "out" / "ids" / "town" / "b.png").shape == (33, 51)


def test_only_the_kinds_that_are_asked_for_and_what_the_networks_see(tmp_path: Path) -> None:
    networks = Networks()
    item = Item("a", write(tmp_path / "a.png", picture(40, 60)))
    predict.write(Predictor(networks, TASK, resize=(32, 64)), [item], tmp_path / "out", ["ids"])
    assert networks.sizes == [(32, 64)]
    assert files(tmp_path / "out") == {"ids/a.png"}
    assert read(tmp_path / "out" / "ids" / "a.png").shape == (40, 60)


def test_a_video_becomes_videos_of_its_rate_and_an_image_of_ids_a_frame(tmp_path: Path) -> None:
    with video.VideoFile(tmp_path / "in" / "trip.mp4", 10) as file:
        for number, shift in enumerate((0, 20, 40)):
            pixels = np.roll(cv2.resize(picture(), (64, 32), interpolation=cv2.INTER_NEAREST), shift, axis=1)
            file.add(video.Frame(pixels, number / 10))
    done: list[int] = []
    items = find([tmp_path / "in" / "trip.mp4"], tmp_path / "out")
    predict.write(Predictor(Networks(), TASK), items, tmp_path / "out", progress=done.append)
    assert files(tmp_path / "out") == {
        "colour/trip.mp4", "overlay/trip.mp4", *(f"ids/trip/{number:06d}.png" for number in range(3)),
    }  # fmt: skip
    assert done == [1, 2, 3]
    for kind in ("colour", "overlay"):
        assert video.describe(tmp_path / "out" / kind / "trip.mp4") == (3, 10.0)
    starts = [int((read(tmp_path / "out" / f"ids/trip/{n:06d}.png")[16] == 0).argmax()) for n in range(3)]
    assert starts == [pytest.approx(shift, abs=3) for shift in (0, 20, 40)]


def test_a_video_that_ends_in_an_error_leaves_no_video(tmp_path: Path) -> None:
    with video.VideoFile(tmp_path / "trip.mp4", 10) as file:
        for number in range(3):
            file.add(video.Frame(np.zeros((32, 64, 3), np.uint8), number / 10))

    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    items = find([tmp_path / "trip.mp4"], tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        predict.write(Predictor(Networks(), TASK), items, tmp_path / "out", progress=stop)
    assert files(tmp_path / "out") == {"ids/trip/000000.png", "ids/trip/000001.png"}


def test_a_video_that_is_cut_off_is_predicted_as_far_as_it_goes_and_said(tmp_path: Path) -> None:
    pytest.importorskip("av")  # its files begin with the index, so that what is left of one can be read
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    with video.VideoFile(tmp_path / "trip.mp4", 10) as file:
        for number in range(20):
            file.add(video.Frame(np.roll(pixels, number, axis=1), number / 10))
    content, said = (tmp_path / "trip.mp4").read_bytes(), list[str]()
    (tmp_path / "trip.mp4").write_bytes(content[: len(content) * 2 // 3])
    items = find([tmp_path / "trip.mp4"], tmp_path / "out")
    predict.write(Predictor(Networks(), TASK), items, tmp_path / "out", ["ids"], say=said.append)
    count = len(list((tmp_path / "out" / "ids" / "trip").iterdir()))
    assert 0 < count < 19
    assert said == [
        f"{tmp_path}/trip.mp4: ends after {count} frames, of 20 by its head; if it is cut off, fetch it again"
    ]


def test_what_was_written_is_not_taken_for_input_again(tmp_path: Path) -> None:
    write(tmp_path / "a.png", picture())
    for _ in range(2):
        items = find([tmp_path], tmp_path / "out")
        assert [item.key for item in items] == ["a"]
        predict.write(Predictor(Networks(), TASK), items, tmp_path / "out")


def test_what_would_be_lost_or_is_not_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.png", picture())
    write(tmp_path / "in" / "a.jpg", picture())
    with pytest.raises(DataError, match=r"a\.png and .*a\.jpg would be written to the same name"):
        find([tmp_path / "in"], tmp_path / "out")
    write(tmp_path / "other" / "a.png", picture())
    with pytest.raises(DataError, match="same name"):
        find([tmp_path / "other", tmp_path / "in" / "a.jpg"], tmp_path / "out")
    with pytest.raises(DataError, match="absent: no such file or folder"):
        find([tmp_path / "absent"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no image or video"):
        find([tmp_path / "empty"], tmp_path / "out")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match=r"a\.txt: neither image nor video"):
        find([tmp_path / "a.txt"], tmp_path / "out")
    (tmp_path / "broken.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"broken\.png: not a readable image"):
        predict.write(Predictor(Networks(), TASK), find([tmp_path / "broken.png"], tmp_path / "out"), tmp_path / "out")
    with pytest.raises(ConfigError, match="one class an image"):
        predict.write(Predictor(Networks(), classification.build(SPACE)), [], tmp_path / "out")


def test_the_description_says_what_numbers_and_colours_mean(tmp_path: Path) -> None:
    predict.describe(tmp_path / "out", SPACE, {"stage": "align-1234"})
    content = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert content["classes"][2] == {"index": 2, "name": "blue", "colour": [20, 10, 200]}
    assert (content["label_space"], content["stage"]) == ("colours", "align-1234")
