"""Claims: who holds one, what a dead holder leaves, and file systems without locks."""

import errno
import fcntl
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from segda.artefacts.lock import FolderLock
from segda.errors import ArtefactError


@pytest.fixture(params=["locks", "no locks"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system that knows locks, or one that does not."""
    if request.param == "no locks":

        def refused(*arguments: Any) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(fcntl, "flock", refused)
    return str(request.param)


def held_by(note: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps({"since": "2020-01-01 00:00:00", "command": "segda run job", **note}))


def test_the_refusal_names_the_owner(tmp_path: Path, file_system: str) -> None:
    path = tmp_path / "thing.claim"
    with FolderLock(path, tmp_path / "thing"):
        with pytest.raises(ArtefactError) as refusal:
            FolderLock(path, tmp_path / "thing").take()
        assert f"process {os.getpid()} on {socket.gethostname()} since " in str(refusal.value)
        assert str(tmp_path / "thing") in str(refusal.value)
        assert "--wait" in str(refusal.value)
    assert not path.exists()
    FolderLock(path, tmp_path / "thing").take()


def test_waiting_ends_with_the_claim(tmp_path: Path, file_system: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "thing.claim"
    first = FolderLock(path, tmp_path / "thing")
    first.take()
    timer = threading.Timer(0.2, first.release)
    timer.start()
    with FolderLock(path, tmp_path / "thing", wait=True):
        assert first._descriptor is None
    timer.join()
    assert capsys.readouterr().out.count("waiting for another process") == 1


def test_a_dead_holder_is_followed(tmp_path: Path, file_system: str) -> None:
    """Its number is free again, or belongs to a later process."""
    path = tmp_path / "thing.claim"
    gone = subprocess.Popen(["true"])
    gone.wait()
    for number in (gone.pid, os.getpid()):
        held_by({"host": socket.gethostname(), "process": number, "began": "1"}, path)
        with FolderLock(path, tmp_path / "thing"):
            assert json.loads(path.read_text())["process"] == os.getpid()


def test_without_locks_another_host_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "thing.claim"
    held_by({"host": "elsewhere", "process": 1, "began": "1"}, path)
    with FolderLock(path, tmp_path / "thing"):
        held = json.loads(path.read_text())
    assert held["process"] == os.getpid(), "the kernel says that nobody holds it, whatever a dead process noted"
    held_by({"host": "elsewhere", "process": 1, "began": "1"}, path)

    def refused(*arguments: Any) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(ArtefactError, match=r"process 1 on elsewhere since 2020.*segda run job.*delete .*thing\.claim"):
        FolderLock(path, tmp_path / "thing").take()
    path.unlink()
    with FolderLock(path, tmp_path / "thing"):
        pass


def test_a_claim_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "thing.claim"
    holder = multiprocessing.get_context("spawn").Process(target=hold_with_child, args=(path,))
    holder.start()
    deadline = time.monotonic() + 30
    while not (tmp_path / "child").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ArtefactError, match=f"process {holder.pid} on"):
        FolderLock(path, tmp_path / "thing").take()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)  # lives on, as a process that loads data does for some seconds
    try:
        with FolderLock(path, tmp_path / "thing"):
            pass
    finally:
        os.kill(child, signal.SIGKILL)


def hold_with_child(path: Path) -> None:
    """Hold a claim, with a forked child that outlives this process."""
    FolderLock(path, Path("thing")).take()
    child = os.fork()
    if child:
        path.with_name("partial").write_text(str(child))
        os.replace(path.with_name("partial"), path.with_name("child"))
    time.sleep(60)


def test_a_full_disk_takes_the_note_not_the_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    path = tmp_path / "thing.claim"
    with FolderLock(path, tmp_path / "thing"), pytest.raises(ArtefactError, match="it left no note"):
        FolderLock(path, tmp_path / "thing").take()
    monkeypatch.setattr(os, "open", full)
    with pytest.raises(ArtefactError, match=r"thing\.claim: cannot be written \(No space left on device\); free space"):
        FolderLock(path, tmp_path / "thing").take()
