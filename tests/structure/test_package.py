"""What is installed: the console script, and a wheel with everything that a run needs."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, entry_points, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pipelines.installation import INDEX_NAMES
from segda_command import main
from tests.structure import source


def test_the_console_script_is_the_command_line() -> None:
    assert {entry.load() for entry in entry_points(group="console_scripts", name="segda")} == {main}


def test_setup_names_the_same_command() -> None:
    setup = configparser.ConfigParser()
    setup.read(source.ROOT / "setup.cfg")
    assert setup["options.entry_points"]["console_scripts"].strip() == "segda = segda_command:main"
    # The last release under the MIT licence.
    assert "albumentations==2.0.8" in setup["options.extras_require"]["test"].split()


def test_type_checkers_are_told_that_both_packages_have_types() -> None:
    for package in ("segda", "pipelines"):
        assert (source.ROOT / package / "py.typed").is_file()


def test_what_is_imported_is_required() -> None:
    """Each package of an index that the code imports is in setup.cfg, with a bound that the lowest install can keep."""
    setup = configparser.ConfigParser()
    setup.read(source.ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    parts = [setup["options"]["install_requires"], *(extras[name] for name in extras if name not in ("all", "test"))]
    lines = [line for part in parts for line in part.split("\n") if line and not line.startswith("#")]
    required = {Requirement(line).name: Requirement(line).specifier for line in lines}
    assert [name for name, bounds in required.items() if not bounds] == []
    imported = {module.split(".")[0] for path in source.files("segda", "pipelines") for module in source.imports(path)}
    outside = imported - sys.stdlib_module_names - {"segda", "pipelines", "segda_command"}
    assert {INDEX_NAMES.get(name, name.replace("_", "-")) for name in outside} - {"typing-extensions"} <= set(required)


def test_pins_do_not_keep_the_oldest_python_out() -> None:
    """A pin that Python 3.10 cannot install must say so, or `make demo` fails there."""
    lines = (source.ROOT / "constraints.txt").read_text().splitlines()
    for pin in (Requirement(line) for line in lines if line and not line.startswith("#")):
        try:
            needed = metadata(pin.name).get("Requires-Python", "")
        except PackageNotFoundError:
            continue
        applies = pin.marker is None or pin.marker.evaluate({"python_version": "3.10"})
        assert not (applies and not SpecifierSet(needed).contains("3.10.14")), f"{pin.name} needs Python {needed}"


@pytest.mark.slow
def test_the_wheel_holds_all_that_a_run_needs(tmp_path: Path) -> None:
    """Built from a copy, installed nowhere: the configs, the page's template, every module, and no test."""
    pytest.importorskip("setuptools")
    project = tmp_path / "project"
    (project / "docs").mkdir(parents=True)
    for name in ("segda", "pipelines", "configs", "tests"):
        shutil.copytree(source.ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("segda_command.py", "setup.cfg", "pyproject.toml", "LICENSE", "docs/package_index.md"):
        if (source.ROOT / name).is_file():
            shutil.copy(source.ROOT / name, project / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    built = subprocess.run([*command, "."], cwd=project, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    wheel = next(tmp_path.glob("segda-*.whl"))
    files = set(zipfile.ZipFile(wheel).namelist())
    about = zipfile.ZipFile(wheel).read(next(name for name in files if name.endswith("/METADATA"))).decode()
    assert (source.ROOT / "docs/package_index.md").read_text(encoding="utf-8").strip() in about
    for folder in ("segda", "pipelines", "configs"):
        for path in (source.ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".py", ".yaml", ".html", ".css", ".js"):
                assert path.relative_to(source.ROOT).as_posix() in files
    assert {"segda_command.py", "segda/py.typed", "pipelines/py.typed"} <= files
    assert not [name for name in files if name.split("/")[0] in ("tests", "tools", "docs", "runs")]
    # Unpacked in an empty folder, it finds its own configs.
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    run = [sys.executable, "-m", "segda_command", "run", "streets", "--plan"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    planned = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert planned.returncode == 0, planned.stderr
    assert "streets" in planned.stdout
