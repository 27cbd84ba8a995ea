"""Submissions: raw ids by class name, every image once across processes, and errors before any prediction."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from torch import Tensor, nn

from segda import label_space
from segda.data.dataset import Dataset, Sample
from segda.errors import ConfigError, DataError
from segda.evaluation.predict import Predictor
from segda.evaluation.submission import write
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import IDS
from segda.tasks import classification, segmentation

SPACE = LabelSpace("three", ("sky", "road", "bicycle"), ((1, 1, 1), (2, 2, 2), (3, 3, 3)))


class Networks:
    """The image's channels are the logits; counts forward passes."""

    def __init__(self) -> None:
        self.modules: dict[str, nn.Module] = {}
        self.passes = 0

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        self.passes += 1
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        return features[-1]


def images(root: Path, space: LabelSpace = SPACE, count: int = 5) -> Dataset:
    """Unlabelled images whose columns are red, green and blue in turn, so sky, road and bicycle."""
    for number in range(count):
        pixels = np.zeros((11 + number, 9, 3), np.uint8)
        for column in range(9):
            pixels[:, column, 2 - column % 3] = 255
        assert cv2.imwrite(str(root / f"{number}.png"), pixels)
    samples = tuple(Sample(f"ulm/ulm_000000_00000{n}", root / f"{n}.png", None) for n in range(count))
    return Dataset(
        "some", root, space, samples, lambda path: cv2.imread(str(path))[..., ::-1],
        lambda path: pytest.fail("a label was opened"),
    )  # fmt: skip


def test_each_process_writes_its_share_and_together_every_image_once(tmp_path: Path) -> None:
    dataset, calls, done = images(tmp_path), [], []
    for rank in range(3):
        networks = Networks()
        predictor = Predictor(networks, segmentation.build(SPACE))
        write(predictor, dataset, tmp_path / "sent", rank=rank, world=3, progress=done.append)
        calls.append(networks.passes)
    assert calls == [2, 2, 1]
    assert done == [1, 2, 1, 2, 1]
    written = sorted((tmp_path / "sent").iterdir())
    assert [path.name for path in written] == [f"ulm_000000_00000{n}_predictionIds.png" for n in range(5)]
    for number, path in enumerate(written):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert ids.shape == (11 + number, 9)
        assert [IDS[int(each)] for each in ids[0, :3]] == ["sky", "road", "bicycle"], "by name, in any order"


def test_acdc_takes_train_ids_under_the_images_own_names(tmp_path: Path) -> None:
    some = images(tmp_path, count=1)
    frame = tmp_path / "GOPR0364_frame_000001_rgb_anon.png"
    some.samples[0].image.rename(frame)
    dataset = replace(some, name="acdc", samples=(Sample("night/GOPR0364/GOPR0364_frame_000001", frame, None),))
    write(Predictor(Networks(), segmentation.build(SPACE)), dataset, tmp_path / "labelTrainIds")
    ids = cv2.imread(str(tmp_path / "labelTrainIds" / frame.name), cv2.IMREAD_UNCHANGED)
    assert ids.shape == (11, 9)
    assert ids[0, :3].tolist() == [10, 0, 18], "sky, road, bicycle"
    dataset = replace(some, name="acdc", samples=(Sample("night/holiday", tmp_path / "holiday.png", None),))
    with pytest.raises(DataError, match=r"holiday\.png: the server expects <sequence>_frame_<number>_rgb_anon"):
        write(Predictor(Networks(), segmentation.build(SPACE)), dataset, tmp_path / "elsewhere")


def test_classes_that_cityscapes_lacks_and_whole_images_are_refused_before_any_prediction(tmp_path: Path) -> None:
    networks, camvid = Networks(), label_space.load("camvid")
    with pytest.raises(ConfigError, match="'camvid': class 'pavement' has no id"):
        write(Predictor(networks, segmentation.build(camvid)), images(tmp_path, camvid), tmp_path / "sent")
    with pytest.raises(ConfigError, match="one class an image"):
        write(Predictor(networks, classification.build(SPACE)), images(tmp_path), tmp_path / "sent")
    assert networks.passes == 0
    assert not (tmp_path / "sent").exists()
