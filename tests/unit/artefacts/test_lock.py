"""Locks: their holder, stale locks of dead processes, and file systems without `flock`."""

import errno
import fcntl
import json
import multiprocessing
import os
import shutil
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


@pytest.fixture(params=["flock", errno.ENOLCK, errno.ENOSYS])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has `flock`, or one that does not."""
    if request.param != "flock":
        without_flock(monkeypatch, request.param)


def without_flock(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)


def lock(folder: Path, wait: bool = False) -> FolderLock:
    return FolderLock(folder / "folder.claim", folder / "folder", wait)


def note(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "folder.claim.json").read_text()))


def test_the_refusal_names_the_holder_and_nothing_is_left(tmp_path: Path, file_system: None) -> None:
    with lock(tmp_path):
        with pytest.raises(ArtefactError) as refusal:
            lock(tmp_path).take()
        assert f"process {os.getpid()} on {socket.gethostname()} since " in str(refusal.value)
        assert str(tmp_path / "folder") in str(refusal.value)
        assert "--wait" in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
    lock(tmp_path).take()


def test_waiting_ends_with_the_lock(tmp_path: Path, file_system: None, capsys: pytest.CaptureFixture[str]) -> None:
    first = lock(tmp_path)
    first.take()
    timer = threading.Timer(0.2, first.release)
    timer.start()
    with lock(tmp_path, wait=True):
        assert first._lock is None
    timer.join()
    assert capsys.readouterr().out.count("waiting for another process") == 1


def hold_with_child(folder: Path, flock: bool) -> None:
    """Hold a lock, with a forked child that outlives this process."""
    if not flock:
        without_flock(pytest.MonkeyPatch(), errno.ENOLCK)
    owner = lock(folder)
    owner.take()
    child = os.fork()
    if child:
        (folder / "partial").write_text(str(child))
        os.replace(folder / "partial", folder / "child")
    time.sleep(60)


@pytest.mark.parametrize("flock", [True, False])
def test_a_lock_ends_with_its_process(tmp_path: Path, flock: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not flock:
        without_flock(monkeypatch, errno.ENOLCK)
    holder = multiprocessing.get_context("spawn").Process(target=hold_with_child, args=(tmp_path, flock))
    holder.start()
    deadline = time.monotonic() + 60
    while not (tmp_path / "child").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(ArtefactError, match=f"process {holder.pid} on"):
        lock(tmp_path).take()
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    child = int((tmp_path / "child").read_text())
    os.kill(child, 0)  # still alive, like a data loader's process for some seconds
    try:
        with lock(tmp_path):
            assert note(tmp_path)["process"] == os.getpid(), "not the stale note of the dead process"
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.promise("second-run")
def test_without_flock_a_lock_of_another_host_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a process of another host is alive cannot be checked, so the user must delete its file."""
    without_flock(monkeypatch, errno.ENOTSUP)
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "folder.claim.pid").write_text(f"{ended.pid}\nelsewhere\n")
    with pytest.raises(ArtefactError, match=r"delete .*folder\.claim\.pid if that process has ended"):
        lock(tmp_path).take()
    (tmp_path / "folder.claim.pid").write_text(f"{ended.pid}\n{socket.gethostname()}\n")
    with lock(tmp_path):
        pass


def test_a_full_disk_takes_the_note_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with lock(tmp_path), pytest.raises(ArtefactError, match="it left no note"):
            lock(tmp_path).take()
    (tmp_path / "folder.claim").mkdir()
    with pytest.raises(ArtefactError, match=r"folder\.claim: cannot be written \(Is a directory\); free space"):
        lock(tmp_path).take()
    shutil.rmtree(tmp_path / "folder.claim")
    with lock(tmp_path):
        pass


def test_looking_on_tells_whether_a_living_process_has_it(
    tmp_path: Path, file_system: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not lock(tmp_path).is_held()
    with lock(tmp_path):
        assert lock(tmp_path).is_held()
        whole = note(tmp_path)
        dead = subprocess.Popen(["true"])
        dead.wait()
        for part, held in (({"process": dead.pid}, False), ({"process": "x"}, False), ({"host": "elsewhere"}, True)):
            (tmp_path / "folder.claim.json").write_text(json.dumps({**whole, **part}))
            assert lock(tmp_path).is_held() is held
        (tmp_path / "folder.claim.json").write_text("[")
        assert not lock(tmp_path).is_held()
    assert not lock(tmp_path).is_held()
