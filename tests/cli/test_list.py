"""`segda list`: everything that a config can name, each with a line, and quickly."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from pipelines.__main__ import main
from pipelines.commands.list import CONFIGS, OPTIMIZERS, PACKAGES, USES, entries
from pipelines.definition.json_schema import COMPONENTS
from pipelines.definition.optimizer import OptimizerConfig
from segda.config.loading import shipped
from segda.config.lookup import names


def test_all_that_a_config_can_name_is_listed_with_a_line() -> None:
    assert {*PACKAGES, *CONFIGS, "optimizers"} == set(USES)
    assert {package for package, _ in COMPONENTS.values()} <= set(PACKAGES.values())
    assert tuple(OPTIMIZERS) == get_args(OptimizerConfig.model_fields["name"].annotation)
    for kind in USES:
        listed = entries(kind)
        assert list(listed) == sorted(listed)
        for name, line in listed.items():
            assert len(line.split()) > 2, name
            assert "yaml-language-server" not in line
    for kind, package in PACKAGES.items():
        assert list(entries(kind)) == names(package)
    for kind in CONFIGS:
        assert set(entries(kind)) == {path.stem for path in shipped(kind).glob("*.yaml")}


@pytest.mark.parametrize("kind", USES)
def test_lines_fit_into_80_columns_below_one_another(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = entries(kind)
    width = max(map(len, listed)) + 2
    assert lines[-1].startswith(f"{len(listed)} {kind}: ")
    assert [line[:width].strip() for line in lines[:-2] if line[0] != " "] == list(listed)
    assert max(map(len, lines)) <= max(80, width + 40)
    assert all(line[width] != " " for line in lines[:-2])


def test_counts_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert f"encoders        {len(entries('encoders'))}  `networks.encoder`\n" in capsys.readouterr().out
    assert main(["list", "methods", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"methods": entries("methods")}
    assert main(["list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == set(USES)


def test_configs_of_the_current_folder_are_listed_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs" / "data").mkdir(parents=True)
    (tmp_path / "configs" / "data" / "mine.yaml").write_text("#\n# Photographs of\n# mine.\n#\n# More.\nroot: x\n")
    (tmp_path / "configs" / "data" / "gta5.yaml").write_text("root: x\n")
    assert main(["list", "data", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["data"]
    assert (listed["mine"], listed["gta5"]) == ("Photographs of mine.", "")


def test_no_component_is_imported() -> None:
    code = """
import sys
from pipelines.__main__ import main
main(["list", "--json"])
print(sorted(sys.modules.keys() & {"torch", "numpy", "cv2"}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
