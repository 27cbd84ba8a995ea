from collections.abc import Callable
from pathlib import Path

import pytest

from segda.data.check import check
from segda.data.readers import camvid as reader
from segda.errors import DataError
from segda.label_space import LabelSpace


def test_ids_are_class_indices_and_11_is_void(
    tmp_path: Path, camvid: LabelSpace, write_image: Callable, write_label: Callable
) -> None:
    write_image(tmp_path / "val/0016E5_07959.jpg", 1, 12)
    write_label(tmp_path / "valannot/0016E5_07959.png", [list(range(12))])
    _, label = reader.build(tmp_path, camvid, "val").read(0)
    assert label is not None
    assert label[0].tolist() == [*range(11), 255]
    with pytest.raises(DataError, match="'test' is missing"):
        reader.build(tmp_path, camvid, "test")


@pytest.mark.data
@pytest.mark.parametrize(("split", "pairs"), [("train", 367), ("val", 101)])
def test_the_real_set_is_sound(real_data: Path, camvid: LabelSpace, split: str, pairs: int) -> None:
    report = check(reader.build(real_data / "driving/camvid", camvid, split, strict=False))
    assert report.pairs == pairs
    assert report.sizes == {(360, 480): pairs}
    assert all(report.pixels.values())
    assert not report.problems
    assert report.ids[0] == report.pixels["sky"]
