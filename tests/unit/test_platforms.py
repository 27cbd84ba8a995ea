"""What Windows lacks is asked for nowhere that Windows comes: modules, signals, forks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.running import launch
from segda.errors import ConfigError
from segda.files import flush, is_below, leading_out
from tests.structure import source

WITHOUT = """
import os, signal, sys
from segda.torchvision_compat import import_ready
import_ready()
import accelerate, cv2, filelock, h5py, kornia, matplotlib.figure, rich.progress, scipy.io, segmentation_models_pytorch
import sklearn.svm, timm, torch.distributed.elastic.multiprocessing, torch.utils.data, torchvision
for module in ("fcntl", "grp", "posix", "pwd", "readline", "resource", "termios", "tty"):
    sys.modules[module] = None
for name in ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGALRM", "SIGHUP", "SIGQUIT", "alarm", "setitimer", "pthread_sigmask"):
    delattr(signal, name)
for name in ("fork", "getuid", "sched_getaffinity", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "statvfs", "mkfifo"):
    delattr(os, name)
import importlib
for module in sys.argv[1:]:
    importlib.import_module(module)
from segda.engine import signals
with signals.handle_signals():
    signal.raise_signal(signal.SIGINT)
    try:
        signals.raise_if_stopped("step 3")
    except signals.StoppedError as stopped:
        print(int(stopped.code), len(signals.CODES), int(signals.END))
"""


def test_every_module_is_imported_and_signals_are_heeded() -> None:
    modules = [source.name(path) for path in source.files("segda", "pipelines")]
    command = [sys.executable, "-c", WITHOUT, *modules]
    done = subprocess.run(command, cwd=source.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["130", "2", str(int(signal.SIGTERM))]


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="on Windows segda starts no others.*WSL"):
        launch.start(2, ["run", "streets"], cpu=True, debug=False)


def test_files_are_flushed_as_windows_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    real = os.open

    def noting(path: Path, flags: int) -> int:
        opened.append((path, flags))
        return real(path, flags)

    file = tmp_path / "file"
    file.write_bytes(b"content")
    monkeypatch.setattr(os, "open", noting)
    monkeypatch.setattr(os, "name", "nt")
    flush(tmp_path)
    flush(file)
    monkeypatch.undo()
    assert opened == [(file, os.O_RDWR)]


@pytest.mark.parametrize("name", ["a\\..\\b.png", "..\\b.png", "C:b.png", "C:\\b.png", "b.png:stream"])
def test_names_that_would_lead_out_on_windows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_below(name)
    assert leading_out(tmp_path, [name]) is None
    monkeypatch.setattr(os, "name", "nt")
    below = is_below(name)
    monkeypatch.undo()
    assert not below
