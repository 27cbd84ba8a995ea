"""The tutorial is done as it stands, command by command, in an empty folder; only trainings are shortened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.docs import pages
from tests.structure.source import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
SHORT = ["--set", "stages.source.steps=20", "--set", "stages.adapted.steps=10"]
"""Added to what trains `town`."""


@pytest.mark.slow
def test_the_tutorial_leads_to_a_network_that_runs_without_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEGDA_CHECKED": str(tmp_path / "checked")}
    for language, text in pages.blocks(PAGE):
        if language == "python":
            run([sys.executable, "-c", text], environment)
        elif language == "bash" and "pip install" not in text:
            run(["bash", "-e", "-c", text], environment)
        elif not language:
            for line in text.splitlines():
                words = line.replace("segda ", '"$PYTHON" -m segda_command ', 1)
                short = " ".join(SHORT) if line == "segda run town.yaml" else ""
                run(["bash", "-e", "-c", f"{words} {short}"], {**environment, "PYTHON": sys.executable})
    photograph = sorted(Path("mine/photographs").rglob("*.png"))[0]
    seen = next(Path("seen").rglob(f"*{photograph.stem}*"))
    assert Image.open(seen).size == Image.open(photograph).size


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    print(command[-1], done.stdout, sep="\n")
