"""Read and write videos frame by frame with OpenCV; a file is written completely or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from segda.errors import ArtefactError, DataError

# Silences FFmpeg inside OpenCV, which reads this once, when the first video is opened: errors are ours to report.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

_CODEC = "mp4v"  # in every build of OpenCV, and allowed in .mp4
_FULL = 1 << 20  # with fewer bytes free, a truncated video is put down to a full disk
_RATE = 25.0  # for the few files without one


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


def frames(path: Path) -> Iterator[np.ndarray]:
    """The frames in order, uint8 RGB `[H, W, 3]`.

    Raises:
        DataError: the file is no video that OpenCV reads, or has no frame.
    """
    video = _opened(path)
    count = 0
    try:
        while (read := video.read())[0]:
            count += 1
            yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)
    finally:
        video.release()
    if not count:
        raise DataError(f"{path}: no frame in it; fetch the file again")


class VideoFile:
    """An `.mp4` file being written; it gets its name when the `with` block ends without an error."""

    def __init__(self, path: Path, rate: float) -> None:
        """Write nothing yet. `path` ends in `.mp4`, and its folder is created; `rate` is in frames per second."""
        self.path, self.rate = path, rate
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")  # OpenCV goes by the suffix
        self._writer: cv2.VideoWriter | None = None
        self._added = 0

    def __enter__(self) -> "VideoFile":
        return self

    def add(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 RGB `[H, W, 3]`, all of one size; the codec drops an odd last row or column.

        Raises:
            DataError: the folder cannot be created, or OpenCV cannot write such a file.
        """
        if self._writer is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(f"{self.path.parent}: not created ({error.strerror}); choose another -o") from error
            code = cv2.VideoWriter.fourcc(*_CODEC)
            self._writer = cv2.VideoWriter(str(self._partial), code, self.rate, (frame.shape[1], frame.shape[0]))
            if not self._writer.isOpened():
                raise DataError(
                    f"{self.path}: OpenCV cannot write {_CODEC} of {frame.shape[1]}x{frame.shape[0]}; predict the "
                    "frames as images"
                )
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        self._added += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        try:
            if error is None and self._writer is not None:
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
