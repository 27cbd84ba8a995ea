"""Results that cannot be read or written: folders of other configs, damaged checkpoints, full disks."""

import errno
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from tests.cli.conftest import Refused


def begun(kind: str) -> Path:
    return next(path for path in Path("runs").glob(f"{kind}-*") if path.is_dir())


class FullDisk:
    """A disk that is full after `room` writes to files with `part` in their path; the next write is cut half-way.

    As from a real disk, the error of a write names no file.
    """

    def __init__(self, part: str, room: int) -> None:
        self.part, self.room, self.refused = part, room, 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        opening = io.open

        def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            stream = opening(file, mode, *arguments, **options)
            # A full disk takes the note of a claim, not the claim.
            concerned = self.part in str(file) and ".claim" not in str(file)
            return _Limited(stream, self) if concerned and mode[0] in "wa" else stream

        monkeypatch.setattr("io.open", opened)
        monkeypatch.setattr("builtins.open", opened)


class _Limited:
    """An open file on a full disk."""

    def __init__(self, stream: Any, disk: FullDisk) -> None:
        self.stream, self.disk = stream, disk

    def write(self, content: Any) -> int:
        self.disk.room -= 1
        if self.disk.room < 0:
            self.disk.refused += 1
            self.stream.write(content[: len(content) // 2])
            self.stream.flush()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(self.stream.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __enter__(self) -> "_Limited":
        return self

    def __exit__(self, *arguments: object) -> None:
        self.stream.close()


@pytest.mark.promise("full-disk")
def test_disk_full_during_export(data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete files stay, partial ones do not, and the same command finishes once there is space."""
    words = ["job.yaml", "--only", "translate", "--only", "adapted"]
    assert main(["job.yaml", "--only", "translate"]) == 0
    with monkeypatch.context() as patch:
        disk = FullDisk("export-", 1 + 5)  # stage.json, then five pictures
        disk.install(patch)
        line = refused(*words, finished=1)
    assert disk.refused == 1
    folder = begun("export")
    assert str(folder / "images") in line or str(folder / "labels") in line
    assert "No space left on device" in line
    assert "run the same command again" in line
    assert not (folder / "dataset.json").exists()
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}
    assert 0 < len(written) < 8
    assert main(words) == 0
    assert len(list(folder.rglob("*.png"))) == 8
    pairs = {path for path in written if path.parent.name == "images"}
    assert all(path.stat().st_mtime_ns == written[path] for path in pairs)


@pytest.mark.promise("full-disk")
@pytest.mark.parametrize("part", ["/checkpoints/", "/networks/", "/log.", "/.log.", "/.manifest.json", ".lock.json"])
@pytest.mark.parametrize("room", [0, 1])
def test_disk_full_at_any_other_file(
    data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch, part: str, room: int
) -> None:
    """The line gives the remedy, no partial file stays, and the same command resumes from the complete files."""
    words = ["job.yaml", "--only", "source"]
    with monkeypatch.context() as patch:
        disk = FullDisk(part, room)
        disk.install(patch)
        if part in ("/.manifest.json", "/.log.") and room:
            assert main(words) == 0  # they are written once
            return
        finished = int(part == ".lock.json" and room)
        line = refused(*words, finished=finished)
    assert disk.refused == 1
    assert "No space left on device" in line
    assert "free space" in line
    assert part.strip("/.") in line, "the file is named"
    assert list(Path("runs").rglob("*.partial")) == []
    assert main(words) == 0


@pytest.mark.promise("read-only-folder")
def test_runs_folder_not_writable(data: Path, refused: Refused) -> None:
    Path("elsewhere").write_text("a file")
    line = refused("job.yaml", "--only", "source", "--runs", "elsewhere")
    assert "elsewhere" in line
    assert "--runs" in line


def test_a_folder_of_another_config(data: Path, refused: Refused) -> None:
    """Keys with the same prefix, or a copied folder: refused, not resumed."""
    assert main(["job.yaml", "--only", "source"]) == 0
    folder = begun("supervise")
    (folder / "manifest.json").unlink()
    described = json.loads((folder / "stage.json").read_text())
    described["key"] = described["key"][:8] + "0" * 56
    (folder / "stage.json").write_text(json.dumps(described))
    line = refused("job.yaml", "--only", "source")
    assert str(folder) in line
    assert "another key" in line
    assert "move it away" in line


def test_a_folder_that_is_no_run(data: Path, refused: Refused) -> None:
    assert main(["job.yaml", "--only", "source"]) == 0
    folder = begun("supervise")
    for path in list(folder.iterdir()):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / "thesis.txt").write_text("mine")
    line = refused("job.yaml", "--only", "source")
    assert str(folder) in line
    assert "no run folder" in line
    assert (folder / "thesis.txt").read_text() == "mine"


def test_a_checkpoint_of_another_config(data: Path, refused: Refused) -> None:
    """A user copies the checkpoints of a wider network into the folder of an unfinished stage."""
    wider = ["--set", "stages.source.networks.encoder.width=8"]
    assert main(["job.yaml", "--only", "source"]) == 0
    folder = begun("supervise")
    assert main(["job.yaml", "--only", "source", *wider]) == 0
    other = next(path for path in Path("runs").glob("supervise-*") if path != folder)
    (folder / "manifest.json").unlink()
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    assert (other / "checkpoints").is_dir()
    shutil.copytree(other / "checkpoints", folder / "checkpoints")
    line = refused("job.yaml", "--only", "source", finished=1)
    assert str(folder / "checkpoints") in line


def test_a_stage_that_is_not_finished(data: Path, refused: Refused) -> None:
    line = refused("job.yaml", "--only", "adapted")
    assert "stages.adapted" in line
    assert "--only translate" in line


def test_networks_of_another_shape_to_start_from(data: Path, refused: Refused) -> None:
    Path("next.yaml").write_text(
        "base: job\nstages:\n  feature:\n    kind: align\n    source: {base: gta5}\n    target: {base: cityscapes}\n"
        "    init: {from: source}\n    method: dann\n    steps: 1\n    crop: [32, 32]\n"
        "    networks: {encoder: {name: small, width: 8, blocks: 1}, head: {name: small, width: 4},"
        " discriminators: {feature: {name: feature}}}\n"
    )
    line = refused("next.yaml", "--only", "source", "--only", "feature")  # before the source is trained
    assert "stages.feature: init: the encoder of stage 'source' differs" in line
