"""A package that is missing, broken, doubled or too old is one line with the remedy."""

import importlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from pipelines import installation
from pipelines.command_line import explain

HEADLESS = f"opencv-python-headless {metadata.version('opencv-python-headless')}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes before all others on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def _install(site: Path, name: str, version: str, module: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "top_level.txt").write_text(module)


def _error(monkeypatch: pytest.MonkeyPatch, code: str, *forgotten: str) -> Exception:
    """What `code` raises where modules that were imported are to be found anew."""
    for name in [name for name in sys.modules if name.split(".")[0] in forgotten]:
        monkeypatch.delitem(sys.modules, name)
    importlib.invalidate_caches()
    with pytest.raises(Exception) as raised:  # noqa: PT011
        exec(code, {"__name__": "segda.example"})
    return raised.value


def _line(error: Exception) -> str:
    line, code = explain(error, debug=False)
    assert code == 2
    assert "\n" not in line
    return line


def test_a_missing_package_of_segda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "packages_distributions", dict)
    line = _line(ModuleNotFoundError("No module named 'yaml'", name="yaml"))
    assert "pyyaml: not installed" in line
    assert line.endswith("pip install 'pyyaml>=6'")


def test_a_missing_package_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    line = _line(_error(monkeypatch, "import nowhere_to_be.found"))
    assert line.startswith(
        "error: nowhere_to_be is missing (No module named 'nowhere_to_be'); pip install nowhere-to-be"
    )


def test_a_library_that_the_system_lacks(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "cv2").mkdir()
    (site / "cv2" / "__init__.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    line = _line(_error(monkeypatch, "import cv2", "cv2"))
    assert HEADLESS in line
    assert "libGL.so.1" in line
    assert "pip install --force-reinstall --no-deps 'opencv-python-headless>=4.9'" in line


def test_two_opencvs_in_one_folder(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(site, "opencv-python", "4.9.0.80", "cv2")
    (site / "cv2").mkdir()
    (site / "cv2" / "__init__.py").write_text("from cv2 import gapi")
    line = _line(_error(monkeypatch, "import cv2", "cv2"))
    assert f"opencv-python 4.9.0.80 and {HEADLESS} installed" in line
    assert line.endswith(
        "pip uninstall -y opencv-python opencv-python-headless, then pip install 'opencv-python-headless>=4.9'"
    )


@pytest.mark.parametrize("code", ["import cv2; cv2.imread", "from cv2 import imread", "import cv2.utils"])
def test_a_folder_of_which_half_is_deleted(code: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "cv2").mkdir()
    (site / "cv2" / "__init__.py").write_text("")
    assert "opencv-python-headless>=4.9" in _line(_error(monkeypatch, code, "cv2"))


@pytest.mark.parametrize("raised", ["ValueError('size changed')", "OSError('libcudnn.so.9')", "KeyError(1)"])
def test_any_error_while_a_package_is_imported(raised: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "kornia").mkdir()
    (site / "kornia" / "__init__.py").write_text(f"import logging\nraise {raised}")
    assert "--no-deps 'kornia>=" in _line(_error(monkeypatch, "import kornia", "kornia"))


def test_the_package_that_another_stumbles_on_is_named(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "timm.py").write_text("import kornia")
    (site / "kornia.py").write_text("raise RuntimeError('broken')")
    assert "segda needs kornia>=" in _line(_error(monkeypatch, "import timm", "timm", "kornia"))


def test_a_python_without_a_part_of_its_own() -> None:
    line = _line(ModuleNotFoundError("No module named '_lzma'", name="_lzma"))
    assert line.startswith("error: this Python lacks _lzma")


def test_a_package_of_another_version_than_needed_is_the_likely_cause(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(site, "pillow", "9.5", "PIL")
    line = _line(_error(monkeypatch, "len(3)"))
    assert "TypeError" in line
    assert "segda needs pillow>=10 and 9.5 is installed: pip install 'pillow>=10'" in line


def test_debug_shows_the_traceback_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, code = explain(_error(monkeypatch, "import nowhere_to_be"), debug=True)
    assert code == 2
    assert shown.startswith("Traceback")
    assert "error: nowhere_to_be is missing" in shown.splitlines()[-1]


@pytest.mark.parametrize(
    "code", ["import segda.nowhere", "import pipelines; pipelines.nowhere", "len(3)", "from segda import nowhere"]
)
def test_a_fault_of_segda_stays_one(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown, exit_code = explain(_error(monkeypatch, code), debug=False)
    assert exit_code == 1
    assert "a fault of segda" in shown


def test_a_fault_of_a_plugin_keeps_its_traceback(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "my_plugin.py").write_text("len(3)")
    error = _error(monkeypatch, "import my_plugin")
    assert installation.explain_package(error) is None
    assert "Traceback" in explain(error, debug=False)[0]


def test_the_command_with_a_broken_opencv(tmp_path: Path) -> None:
    code = (
        "import sys, types; sys.modules['cv2'] = types.ModuleType('cv2')\n"
        f"from pipelines.__main__ import main; sys.exit(main(['check', 'camvid', '--root', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "module 'cv2' has no attribute" in line
    assert "opencv-python-headless>=4.9" in line
