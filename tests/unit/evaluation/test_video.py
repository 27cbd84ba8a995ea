"""Videos: frames in order, the same frame rate, complete or absent files."""

from pathlib import Path

import numpy as np
import pytest

from segda.errors import DataError
from segda.evaluation import video

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)


def write(path: Path, colours: list[tuple[int, int, int]], size: tuple[int, int] = (48, 64)) -> None:
    with video.VideoFile(path, 12.5) as file:
        for colour in colours:
            file.add(np.full((*size, 3), colour, dtype=np.uint8))


def test_frames_come_back_in_order_with_their_colours_and_rate(tmp_path: Path) -> None:
    write(tmp_path / "new" / "a.mp4", [RED, GREEN, BLUE])
    assert video.describe(tmp_path / "new" / "a.mp4") == (3, 12.5)
    frames = list(video.frames(tmp_path / "new" / "a.mp4"))
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    for frame, colour in zip(frames, (RED, GREEN, BLUE), strict=True):
        assert np.abs(frame.mean(axis=(0, 1)) - colour).max() < 12, "the codec is lossy, RGB is not BGR"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_odd_sizes_lose_a_row_or_column_at_most(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [RED], size=(49, 65))
    height, width = next(video.frames(tmp_path / "a.mp4")).shape[:2]
    assert (height in (48, 49), width in (64, 65)) == (True, True)


def test_an_error_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [RED])
    before = (tmp_path / "a.mp4").read_bytes()

    def stopped() -> None:
        with video.VideoFile(tmp_path / "a.mp4", 10) as file:
            file.add(np.zeros((48, 64, 3), np.uint8))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"a\.mp4: no video that OpenCV reads"):
        video.describe(tmp_path / "a.mp4")
    with pytest.raises(DataError, match="no video"):
        next(video.frames(tmp_path / "absent.mp4"))
