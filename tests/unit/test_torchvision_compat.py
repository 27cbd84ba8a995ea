"""torchvision can be imported even if its compiled library does not load with this torch."""

import subprocess
import sys
from pathlib import Path

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


def _fake(monkeypatch: pytest.MonkeyPatch, *outcomes: Exception | None) -> list[str]:
    """Let imports end so, one after the other; returns the list of what is imported."""
    remaining, asked = list(outcomes), []

    def imported(name: str) -> None:
        asked.append(name)
        outcome = remaining.pop(0)
        if outcome:
            raise outcome

    monkeypatch.setattr(torchvision_compat.importlib, "import_module", imported)
    return asked


def test_declares_nothing_where_torchvision_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _fake(monkeypatch, None, None)
    monkeypatch.setattr(torch.library, "define", _no_definition)
    torchvision_compat.import_ready("timm")
    assert asked == ["torchvision", "timm"]


def test_declares_nothing_where_torchvision_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, ModuleNotFoundError("No module named 'torchvision'", name="torchvision"))
    monkeypatch.setattr(torch.library, "define", _no_definition)
    with pytest.raises(ModuleNotFoundError, match="torchvision"):
        torchvision_compat.import_ready()


def test_what_declaring_does_not_mend_is_a_fault_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision_compat.import_ready()
    mismatch = RuntimeError("PyTorch has CUDA Version=12.8 and torchvision has CUDA Version=11.8")
    _fake(monkeypatch, mismatch, mismatch)
    with pytest.raises(ImportError, match="CUDA Version=11.8; found with torch") as raised:
        torchvision_compat.import_ready()
    assert raised.value.name == "torchvision"


@pytest.mark.parametrize("library", ["_C", "_C_stable", "_ops"])
def test_operators_that_any_library_registers_are_registered_once(library: str, tmp_path: Path) -> None:
    """A torchvision whose library loads, whatever it is called: declaring `nms` before would be the second time."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(f"import torch\nfrom torchvision import {library}\n")
    (package / f"{library}.py").write_text(
        "import torch\ntorch.library.define('torchvision::nms', '(Tensor dets, Tensor scores, float t) -> Tensor')\n"
    )
    here = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    assert _run(f"{here}{READY}import torch; print(torch.ops.torchvision.nms.default)") == "torchvision.nms.default\n"


def test_libraries_are_imported_on_the_cpu(tmp_path: Path) -> None:
    """Some ask a tensor for its value while they are imported, which the device `meta` has not."""
    (tmp_path / "timm.py").write_text("import torch\nvalue = torch.ones(1).item()\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport torch\n"
        "from segda.torchvision_compat import import_ready\n"
        "with torch.device('meta'): import_ready('timm')\nimport timm; print(timm.value)"
    )
    assert _run(code) == "1.0\n"
