"""A disk that is really full, again and again, through every kind of stage: one line each time, and equal results."""

import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pipelines.__main__ import main
from segda.errors import ArtefactError
from segda.evaluation import video
from segda.evaluation.video import Frame, VideoFile, frames
from tests.pipelines import tiny
from tests.resources.full_disk import Disk, check_whole, published


def run_on_a_full_disk(
    words: list[str], disk: Disk, more: tuple[int, ...], capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Run until it succeeds, each time with a little more free space; the files that could not be written."""
    random, runs, finished, failed = Random(0), disk.folder / "runs", set[str](), []
    disk.leave(0)
    while (code := main([*words, "--runs", str(runs), "--ignore-space"])) != 0:
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 2, line
        assert "No space left on device" in line
        assert "free space" in line
        file = re.match(r"error: (\S+?)[:;]? ", line)
        assert file, line
        failed.append(re.sub(r"\d{4,}|[0-9a-f]{8}", "#", Path(file[1]).relative_to(disk.folder).as_posix()))
        before, finished = finished, check_whole(runs)
        assert before <= finished, "nothing is lost"
        assert len(failed) < 300
        disk.leave(disk.free() + random.choice(more))
    assert capsys.readouterr().err == ""
    return failed


@pytest.mark.promise("real-full-disk")
def test_every_stage_of_a_small_job(data: Path, disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml"]) == 0
    failed = run_on_a_full_disk(["job.yaml"], disk, (4096, 8192, 65536), capsys)
    assert published(disk.folder / "runs") == published(Path("runs"))
    assert len(failed) >= 10
    assert {"supervise", "translate", "export"} <= {Path(name).parts[1].split("-")[0] for name in failed}, failed


@pytest.mark.promise("real-full-disk")
@pytest.mark.slow
def test_every_stage_of_the_tiny_pipeline(tmp_path: Path, disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of file: generated pictures, logs, checkpoints, networks, exports, tables, report, lock, manifests."""
    job = tiny.write(tmp_path)
    tiny.run(job, tmp_path / "runs")
    capsys.readouterr()
    failed = run_on_a_full_disk([str(job)], disk, (4096, 8192, 65536, 65536), capsys)
    assert published(disk.folder / "runs") == published(tmp_path / "runs")
    kinds = {Path(name).parts[1].split("-")[0] for name in failed}
    assert {"generate", "supervise", "translate", "export", "align", "evaluate", "report"} <= kinds, sorted(set(failed))
    assert len(failed) >= 40


@pytest.mark.promise("real-full-disk")
@pytest.mark.parametrize("is_h264", [True, False])
def test_a_video_on_a_full_disk_is_refused_not_cut_off(
    disk: Disk, is_h264: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV itself reports no error."""
    if is_h264:
        pytest.importorskip("av")
    monkeypatch.setattr(video, "writes_h264", lambda: is_h264)
    path = disk.folder / "drive.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (40, 240, 320, 3), dtype=np.uint8)

    def write() -> None:
        with VideoFile(path, 25.0) as file:
            for number, pixels in enumerate(noise):
                file.add(Frame(pixels, number / 25))

    for room in (4096, 65536, 400_000):
        disk.leave(room)
        with pytest.raises(ArtefactError, match=r"drive\.mp4: cannot be written.*free space"):
            write()
        assert [path.name for path in disk.folder.iterdir()] == ["filler"]
    disk.leave(32 << 20)
    write()
    assert len(list(frames(path))) == 40


def test_a_progress_line_that_cannot_be_written(data: Path) -> None:
    """Standard output goes into a file on a full disk: one line on stderr, and exit code 2."""
    command = [sys.executable, "-m", "pipelines", "run", "job.yaml", "--only", "source", "--runs", "here"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert "No space left on device; free space" in line
    assert ended.returncode == 2
    check_whole(Path("here"))
    assert main(["job.yaml", "--only", "source", "--runs", "here"]) == 0
