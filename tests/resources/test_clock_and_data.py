"""A clock that jumps changes nothing; data sets may be on a read-only disk."""

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from pipelines.__main__ import main
from tests.cli.conftest import JOB
from tests.configs import layouts
from tests.resources.forked import Forked, paused_before, wait_until
from tests.resources.full_disk import published

WORDS = ["job.yaml", "--only", "source", "--set", "stages.source.steps=4"]
FAR = 4_000_000_000  # seconds: the year 2096
NOBODY = 65534


@pytest.mark.promise("clock-and-data")
def test_a_clock_that_jumps(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Back and forth while a stage is interrupted and resumed: the newest checkpoint is that of the last step."""
    assert main([*WORDS, "--runs", "undisturbed"]) == 0
    with paused_before(4, lambda: main(WORDS)) as process:
        (folder,) = Path("runs").glob("supervise-*")
        wait_until((folder / "checkpoints/step-00000003").exists)  # it is written in the background
        wait_until(lambda: not (folder / "checkpoints/step-00000001").exists())
        process.kill()
    older, newer = sorted(folder.glob("checkpoints/step-*"))
    assert newer.name == "step-00000003"
    for checkpoint, time_of_change in ((older, FAR), (newer, 1)):
        for path in (*checkpoint.iterdir(), checkpoint):
            os.utime(path, (time_of_change, time_of_change))
    for number, path in enumerate(sorted(data.rglob("*.*"))):
        os.utime(path, (FAR, FAR) if number % 2 else (1, 1))

    jumps = (FAR - 86400.0 * number if number % 2 else 1e9 + number for number in count())
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(jumps) * 1e9))
    capsys.readouterr()
    assert main(WORDS) == 0
    output = capsys.readouterr().out
    assert "source: resume" in output, "no key depends on times"
    assert "steps 4/4" in output
    assert "-" not in output.split("steps 4/4, ")[1].split(" left")[0], "a rate is never negative"
    steps = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert all(line["seconds"] >= 0 for line in steps)
    assert json.loads((folder / "manifest.json").read_text())["provenance"]["seconds"] < 600
    assert published(Path("runs")) == published(Path("undisturbed"))
    assert main(WORDS) == 0
    assert "source: done" in capsys.readouterr().out


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user reaches, with data that none but its owner may change."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    folder = Path(tempfile.mkdtemp())
    layouts.gta5(folder / "data")
    layouts.cityscapes(folder / "data")
    (folder / "job.yaml").write_text(JOB)
    (folder / "runs").mkdir()
    for path in (folder / "data", *(folder / "data").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o755)
    os.chown(folder / "runs", NOBODY, NOBODY)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SEGDA_DATA", str(folder / "data"))
    yield folder
    shutil.rmtree(folder)


def everything(folder: Path) -> dict[str, tuple[int, int, int]]:
    files = {str(path): path.stat() for path in (folder, *folder.rglob("*"))}
    return {name: (stat.S_IMODE(it.st_mode), it.st_size, it.st_mtime_ns) for name, it in files.items()}


@pytest.mark.promise("clock-and-data")
def test_data_that_cannot_be_written(public: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A whole job, check, scores and predictions by a user who may only read: nothing there is new or changed."""
    before = everything(public / "data")

    def as_nobody() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        with pytest.raises(PermissionError):
            (public / "data" / "gta5" / "cache").touch()
        assert main(["job.yaml"]) == 0
        assert main(["check", "gta5"]) == 0
        assert main(["evaluate", "job", "--data", "cityscapes"]) == 0
        pictures = str(public / "data" / "gta5" / "images")
        assert main(["predict", "job", pictures, "-o", "runs/predictions", "--stage", "source"]) == 0

    with Forked(as_nobody) as process:
        assert process.wait() == 0, capfd.readouterr().err
    assert everything(public / "data") == before
    assert len(list((public / "runs").glob("*/manifest.json"))) == 4


@pytest.mark.promise("clock-and-data")
def test_data_that_could_be_written_is_not(data: Path) -> None:
    before = everything(data)
    assert main(["job.yaml", "--workers", "1"]) == 0
    assert main(["check", "gta5"]) == 0
    assert everything(data) == before
