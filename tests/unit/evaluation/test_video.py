"""Videos: frames in order, upright and at their times, H.264 where PyAV is there; complete or absent files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from segda.errors import DataError
from segda.evaluation import video
from segda.evaluation.video import Frame

RED, GREEN, BLUE = (220, 20, 20), (20, 220, 20), (20, 20, 220)


@pytest.fixture(params=["H.264", "MPEG-4"], autouse=True)
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both codecs, whatever is installed."""
    if request.param == "H.264":
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(video, "writes_h264", lambda: False)
    return str(request.param)


def write(
    path: Path, colours: list[tuple[int, ...]], size: tuple[int, int] = (48, 64), seconds: list[float] | None = None
) -> None:
    times = seconds or [number / 12.5 for number in range(len(colours))]
    with video.VideoFile(path, 12.5) as file:
        for colour, time in zip(colours, times, strict=True):
            file.add(Frame(np.full((*size, 3), colour, dtype=np.uint8), time))


def test_frames_come_back_in_order_with_their_colours_and_rate(tmp_path: Path) -> None:
    write(tmp_path / "new" / "a.mp4", [RED, GREEN, BLUE])
    assert video.describe(tmp_path / "new" / "a.mp4") == (3, 12.5)
    frames = list(video.frames(tmp_path / "new" / "a.mp4"))
    assert [frame.pixels.shape for frame in frames] == [(48, 64, 3)] * 3
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.08, 0.16])
    for frame, colour in zip(frames, (RED, GREEN, BLUE), strict=True):
        assert np.abs(frame.pixels.mean(axis=(0, 1)) - colour).max() < 12, "the codec is lossy, RGB is not BGR"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]


def test_what_browsers_play(tmp_path: Path, codec: str) -> None:
    """H.264 of 8 bits in 4:2:0, with the index before the pictures; the other codec says what it is."""
    write(tmp_path / "a.mp4", [RED, GREEN])
    content = (tmp_path / "a.mp4").read_bytes()
    if codec == "MPEG-4":
        assert b"mp4v" in content
        assert "browsers do not play it: for H.264 install PyAV (pip install 'segda[video]')" in video.format_note()
        return
    import av

    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.codec_context.colorspace == 6, "BT.601, as the colours are converted"
    assert video.format_note() == "videos are written as H.264, without sound"


@pytest.mark.parametrize("size", [(49, 65), (48, 65), (1, 1)])
def test_odd_sizes_are_filled_by_their_last_row_and_column(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "a.mp4", [RED], size=size)
    pixels = next(video.frames(tmp_path / "a.mp4")).pixels
    assert pixels.shape[:2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert np.abs(pixels[-1, -1] - np.array(RED, np.int16)).max() < 12


def test_frames_keep_their_times_where_the_rate_varies(tmp_path: Path, codec: str) -> None:
    times = [0.0, 0.1, 0.3, 0.35]
    write(tmp_path / "a.mp4", [RED, GREEN, BLUE, RED], seconds=times)
    read = [frame.seconds for frame in video.frames(tmp_path / "a.mp4")]
    assert read == pytest.approx(times if codec == "H.264" else [0, 0.08, 0.16, 0.24], abs=1e-3)


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_video_of_a_telephone_is_read_upright(tmp_path: Path, degrees: int) -> None:
    """Its pixels are stored lying, red above blue, and its head says by how much to turn them counter-clockwise."""
    av = pytest.importorskip("av")
    stored = np.full((48, 80, 3), BLUE, np.uint8)
    stored[:24] = RED
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 80, "yuv420p"
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV writes no rotation")
        stream.set_display_rotation(degrees)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        file.mux(stream.encode())
    pixels = next(video.frames(tmp_path / "a.mp4")).pixels
    assert np.abs(pixels.astype(int) - np.rot90(stored, degrees // 90)).mean() < 12


def test_a_file_without_times_goes_by_its_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Timeless:
        def __init__(self, path: Path) -> None:
            self.video = cv2.VideoCapture(str(path))

        def __getattr__(self, name: str) -> object:
            return getattr(self.video, name)

        def get(self, what: int) -> float:
            return 0.0 if what == cv2.CAP_PROP_POS_MSEC else self.video.get(what)

    write(tmp_path / "a.mp4", [RED, GREEN, BLUE])
    monkeypatch.setattr(video, "_opened", Timeless)
    assert [frame.seconds for frame in video.frames(tmp_path / "a.mp4")] == pytest.approx([0, 0.08, 0.16])


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    def growing() -> None:
        with video.VideoFile(tmp_path / "a.mp4", 10) as file:
            file.add(Frame(np.zeros((48, 64, 3), np.uint8), 0.0))
            file.add(Frame(np.zeros((32, 64, 3), np.uint8), 0.1))

    with pytest.raises(DataError, match=r"a\.mp4: frame 2 is 32x64 .* those before are 48x64"):
        growing()
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [RED])
    before = (tmp_path / "a.mp4").read_bytes()

    def stopped() -> None:
        with video.VideoFile(tmp_path / "a.mp4", 10) as file:
            file.add(Frame(np.zeros((48, 64, 3), np.uint8), 0.0))
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
