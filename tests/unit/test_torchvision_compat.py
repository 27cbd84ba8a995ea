"""torchvision can be imported even if its compiled library does not load with this torch."""

import importlib.util
import subprocess
import sys

import pytest
import torch

from segda import torchvision_compat

READY = "from segda.torchvision_compat import import_ready\nimport_ready()\n"


def _run(code: str) -> str:
    """The standard output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_torchvision_imports_in_a_fresh_interpreter() -> None:
    code = f"{READY}import torchvision.transforms.v2; print('imported')"
    assert "imported" in _run(code)


def test_an_import_that_failed_before_does_no_harm() -> None:
    code = (
        "try:\n import torchvision\nexcept RuntimeError as error:\n assert 'nms' in str(error), error\n"
        f"{READY}import torchvision.ops; print('imported')"
    )
    assert "imported" in _run(code)


def test_calling_it_again_and_after_the_import_does_nothing() -> None:
    torchvision_compat.import_ready()
    import torchvision

    torchvision_compat.import_ready()
    assert hasattr(torch.ops.torchvision, "nms")
    assert torchvision.__version__


def _no_definition(*arguments: object) -> None:
    pytest.fail(f"declared {arguments} although nothing is amiss")


def test_declares_nothing_where_torchvision_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_compat, "_library_loads", lambda: True)
    monkeypatch.setattr(torch.library, "define", _no_definition)
    torchvision_compat.import_ready()


def test_declares_nothing_where_torchvision_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(torch.library, "define", _no_definition)
    torchvision_compat.import_ready()
