"""Both sides make crops of one size and kind; a peer's process answers as often as asked, and its end is noticed."""

import sys
from pathlib import Path

import pytest
import torch

from segda import label_space
from segda.data.augmentation.crop import TrainTransform
from segda.data.readers import gta5
from tools.bench import peer_side, peers
from tools.bench.inputs import scenes


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes(tmp_path_factory.mktemp("peers"), 1)


def test_both_sides_make_the_same_kind_of_sample(root: Path) -> None:
    files = gta5.build(root, label_space.load("cityscapes"))
    image, label = TrainTransform(resize=peers.RESIZE, crop=peers.CROP, scale=peers.SCALE)(*files.read(0), 0)
    assert label is not None
    pixels, classes = peer_side.torchvision(root)()  # type: ignore[misc]
    assert pixels.shape == (3, *image.shape[:2])
    assert classes.shape == (1, *label.shape)
    assert (pixels.dtype, classes.dtype) == (torch.float32, torch.int64)
    assert peers.samples(root)(1) > 0


def test_a_peer_answers_in_its_own_process(root: Path) -> None:
    with peers.peer(sys.executable, "torchvision", root) as work:
        assert work(1) > 0
        assert work(2) > 0
    with (
        peers.peer(sys.executable, "torchvision", root / "missing") as work,
        pytest.raises(RuntimeError, match=r"^torchvision: the peer's process ended with 1$"),
    ):
        work(1)
