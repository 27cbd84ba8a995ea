"""The data benchmark: both sides produce the same pixels, and every figure has its target."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from segda import label_space
from segda.data.dataset import Dataset
from segda.data.loader import to_tensor
from segda.data.pack import reader, writer
from segda.data.readers import gta5
from tests.configs import layouts
from tools.bench import data as bench


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dataset]:
    """Four pairs of 52x96 pixels in GTA5's layout, and matching sizes."""
    for name, value in (("RESIZE", (26, 48)), ("CROP", (16, 32)), ("BATCH", 2)):
        monkeypatch.setattr(bench, name, value)
    root = layouts.gta5(tmp_path)
    for kind in ("images", "labels"):  # 20801's label differs in size, which the plain loop cannot read
        (root / kind / "20801.png").unlink()
    threads = cv2.getNumThreads()
    yield gta5.build(root, label_space.load("cityscapes"))
    cv2.setNumThreads(threads)


def mapped(files: Dataset, folder: Path, size: tuple[int, int]) -> Dataset:
    writer.write(files, size, folder, {"key": "k"}, workers=1)
    return reader.open_pack(folder, files)


def test_both_sides_see_the_same_pixels_and_a_difference_is_noticed(files: Dataset, tmp_path: Path) -> None:
    assert bench.equal_pixels(files, mapped(files, tmp_path / "pack", bench.RESIZE))
    array = np.load(tmp_path / "pack" / "labels.npy", mmap_mode="r+")
    array[-1, -1, -1] ^= 1
    array.flush()
    assert not bench.equal_pixels(files, reader.open_pack(tmp_path / "pack", files))


def test_both_sides_make_batches_of_one_form(files: Dataset, tmp_path: Path) -> None:
    ours = next(bench.ours(mapped(files, tmp_path / "pack", bench.RESIZE), workers=0)).source
    image, label = next(bench.theirs(files, workers=0, number=1))
    assert (image.shape, image.dtype) == (ours.image.shape, ours.image.dtype) == ((2, 3, 16, 32), torch.float32)
    assert (label.shape, label.dtype) == (ours.label.shape, ours.label.dtype) == ((2, 16, 32), torch.int64)
    assert -1 <= float(image.min()) < float(image.max()) <= 1
    whole = bench.Plain(files, len(files))
    plain = torch.from_numpy(whole.decoded(0)[0]).permute(2, 0, 1).float() / 127.5 - 1
    again = to_tensor(files.read(0)[0])
    torch.testing.assert_close(plain, again, rtol=0, atol=0)


def test_every_figure_is_there(files: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    figures = bench.measure(rounds=1, workers=0, steps=2, folder=files.root)
    assert [figure.bound for figure in figures] == [20, 1.1, 4, 1.0, 0.9, None, 0.05]
    assert all(figure.ours > 0 for figure in figures)
    assert figures[3].value == pytest.approx(figures[3].ours / (figures[3].theirs or 0))
    capsys.readouterr()
