"""Read videos with OpenCV and write them, as H.264 where PyAV is installed; a file is written whole or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from segda.errors import ArtefactError, DataError

# Silences FFmpeg inside OpenCV, which reads this once, when the first video is opened: errors are ours to report.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_TICKS = 90_000  # a second, as most cameras count
_QUALITY = "18"  # constant rate factor of H.264: hardly to be told from the original
_FULL = 1 << 20  # with fewer bytes free, a truncated video is put down to a full disk
_RATE = 25.0  # for the few files without one


class Frame(NamedTuple):
    """A frame, uint8 RGB `[H, W, 3]`, and the second at which it is shown, counted from the first one's."""

    pixels: np.ndarray
    seconds: float


def writes_h264() -> bool:
    """Whether videos are written as H.264: PyAV is installed, with an encoder for it."""
    try:
        import av
    except ImportError:
        return False
    return "libx264" in av.codecs_available


def format_note() -> str:
    """What to tell a user of the videos that will be written, in a line."""
    if writes_h264():
        return "videos are written as H.264, without sound"
    return (
        "videos are written as MPEG-4 Part 2, without sound and at a constant rate; browsers do not play it: for H.264 "
        "install PyAV (pip install 'segda[video]')"
    )


def describe(path: Path) -> tuple[int, float]:
    """Number of frames according to the file, and frames per second.

    Raises:
        DataError: the file is no video that OpenCV reads.
    """
    video = _opened(path)
    try:
        count, rate = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), float(video.get(cv2.CAP_PROP_FPS))
    finally:
        video.release()
    return max(count, 0), rate if rate > 0 else _RATE


def frames(path: Path) -> Iterator[Frame]:
    """The frames in order, upright: a rotation that a telephone has noted is applied.

    Raises:
        DataError: the file is no video that OpenCV reads, or has no frame.
    """
    video = _opened(path)
    video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    rate = float(video.get(cv2.CAP_PROP_FPS))
    begun, last = None, 0.0
    try:
        while (read := video.read())[0]:
            now = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if begun is None:
                begun = now
            elif now - begun > last:
                last = now - begun
            else:  # a file without times
                last += 1 / (rate if rate > 0 else _RATE)
            yield Frame(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), last)
    finally:
        video.release()
    if begun is None:
        raise DataError(f"{path}: no frame in it; fetch the file again")


class _Writer(Protocol):
    def add(self, frame: Frame) -> None:
        """Append a frame of even height and width."""

    def close(self) -> None:
        """Write what is left; no more frames follow."""


class _H264:
    """H.264 as browsers play it: of 8 bits, half the resolution of colour, the index first; frames keep their times."""

    def __init__(self, path: Path, rate: float, height: int, width: int) -> None:
        import av

        self._file = av.open(str(path), "w", options={"movflags": "faststart"})
        self._stream = self._file.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
        self._stream.height, self._stream.width, self._stream.pix_fmt = height, width, "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        # Players take untagged colours of large videos for BT.709; FFmpeg converts to BT.601.
        self._stream.options = {"crf": _QUALITY, "x264-params": "colormatrix=smpte170m"}

    def add(self, frame: Frame) -> None:
        import av

        picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
        picture.pts, picture.time_base = round(frame.seconds * _TICKS), Fraction(1, _TICKS)
        self._file.mux(self._stream.encode(picture))

    def close(self) -> None:
        try:
            self._file.mux(self._stream.encode())
        finally:
            self._file.close()


class _Mpeg4:
    """MPEG-4 Part 2, which every build of OpenCV writes, at a constant rate; times of frames are lost."""

    def __init__(self, path: Path, rate: float, height: int, width: int) -> None:
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
        if not self._writer.isOpened():
            raise DataError(
                f"{path.parent}: OpenCV writes no MPEG-4 of {width}x{height} there; install PyAV "
                "(pip install 'segda[video]'), or predict the frames as images"
            )

    def add(self, frame: Frame) -> None:
        self._writer.write(cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()


class VideoFile:
    """An `.mp4` file being written; it gets its name when the `with` block ends without an error."""

    def __init__(self, path: Path, rate: float) -> None:
        """Write nothing yet. `path` ends in `.mp4`, and its folder is created; `rate` is in frames per second."""
        self.path, self.rate = path, rate
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")  # OpenCV goes by the suffix
        self._writer: _Writer | None = None
        self._size: tuple[int, ...] = ()
        self._added = 0

    def __enter__(self) -> "VideoFile":
        return self

    def add(self, frame: Frame) -> None:
        """Append a frame; an odd last row or column is repeated, since codecs need even sizes.

        Raises:
            DataError: the folder cannot be created, or the frame is not of the size of those before.
            ArtefactError: the frame cannot be written.
        """
        height, width = frame.pixels.shape[:2]
        even = cv2.copyMakeBorder(frame.pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._writer is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(f"{self.path.parent}: not created ({error.strerror}); choose another -o") from error
            self._size = height, width
        if (height, width) != self._size:
            raise DataError(
                f"{self.path}: frame {self._added + 1} is {height}x{width} (height x width), those before are "
                f"{self._size[0]}x{self._size[1]}; convert the video to one size"
            )
        try:
            if self._writer is None:
                kind = _H264 if writes_h264() else _Mpeg4
                self._writer = kind(self._partial, self.rate, *even.shape[:2])
            self._writer.add(Frame(even, frame.seconds))
        except OSError as error:
            raise _unwritable(self.path, error.strerror or str(error)) from error
        self._added += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._writer is not None:
                with suppress(OSError) if error is not None else nullcontext():
                    self._writer.close()
            if self._writer is not None and error is None:
                self._check_whole()
                os.replace(self._partial, self.path)
        except OSError as refused:
            raise _unwritable(self.path, refused.strerror or str(refused)) from refused
        finally:
            self._partial.unlink(missing_ok=True)

    def _check_whole(self) -> None:
        """OpenCV reports no error for a full disk: the file then lacks its index or its last frames."""
        try:
            written = describe(self._partial)[0]
        except DataError:
            written = 0
        if written != self._added:
            why = os.strerror(errno.ENOSPC) if shutil.disk_usage(self.path.parent).free < _FULL else "it is cut off"
            raise _unwritable(self.path, why)


def _unwritable(path: Path, why: str) -> ArtefactError:
    return ArtefactError(f"{path}: cannot be written ({why}); free space or repair the folder, then predict again")


def _opened(path: Path) -> cv2.VideoCapture:
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(f"{path}: no video that OpenCV reads; convert it, to H.264 in .mp4 say")
    return video
