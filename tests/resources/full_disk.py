"""A small disk that is as full as a test needs it, and what must be true of a runs folder at any time."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from tests.cli.conftest import leftovers


class Disk:
    """A mounted tmpfs; `leave` fills it, except for a number of bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root may mount")
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"cannot mount: {mounted.stderr.decode().strip()}")
        self.folder, self.filler = folder, folder / "filler"
        self.filler.touch()

    def free(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def leave(self, room: int) -> None:
        size = max(self.filler.stat().st_size + self.free() - room, 0)
        if size < self.filler.stat().st_size:
            os.truncate(self.filler, size)
        elif size > self.filler.stat().st_size:
            with open(self.filler, "ab") as file:
                os.posix_fallocate(file.fileno(), 0, size)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


def check_whole(runs: Path) -> set[str]:
    """No file is partial or left over; the names of the finished results."""
    assert leftovers(runs) == []
    for path in runs.rglob("*.json"):
        json.loads(path.read_text())
    for path in runs.glob("*/log.jsonl"):
        lines = path.read_text().splitlines()
        for line in lines[:-1]:  # the last one may be cut off; it is dropped when the stage resumes
            json.loads(line)
    for path in runs.glob("*/checkpoints/*"):
        checkpoint.read(path)
    finished = {path.parent.name for path in runs.glob("*/manifest.json")}
    for name in finished:
        manifests.verify(runs / name, full=True)
    return finished


def published(runs: Path) -> dict[str, object]:
    """The checksums of what every finished stage published; scores and report have times, and count by metrics."""
    finished = {path.parent.name: manifests.load(path.parent) for path in runs.glob("*/manifest.json")}
    return {
        name: (manifest.metrics, {} if manifest.kind in ("evaluate", "report") else manifest.outputs)
        for name, manifest in finished.items()
    }
