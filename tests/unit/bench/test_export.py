"""The export benchmark: both sides write every image, with the same pixels."""

from pathlib import Path

import cv2
import numpy as np

from segda import label_space
from segda.data.readers import gta5
from tools.bench import export as bench
from tools.bench.inputs import scenes


def test_the_loop_and_the_export_write_the_same_images(tmp_path: Path) -> None:
    dataset = gta5.build(scenes(tmp_path / "scenes", 2), label_space.load("cityscapes"))
    for name in ("loop", "export"):
        (tmp_path / name).mkdir()
    bench.loop(dataset, tmp_path / "loop")
    bench.export(1, dataset, tmp_path / "export")
    for sample in dataset.samples:
        (written,) = (tmp_path / "export").rglob(f"images/{sample.image.name}")
        assert np.array_equal(cv2.imread(str(written)), cv2.imread(str(tmp_path / "loop" / sample.image.name)))
