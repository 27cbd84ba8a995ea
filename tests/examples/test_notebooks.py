"""Each notebook in examples/ runs from its first cell to its last in an empty folder; none holds outputs."""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.structure.source import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SECONDS = 180
"""What a notebook may take on a CPU that does nothing else."""


def content(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_no_outputs(path: Path) -> None:
    notebook = content(path)
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_code_parses_and_its_links_lead_somewhere(path: Path) -> None:
    for cell in content(path)["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                assert "://" in link or (path.parent / link).is_file(), link
        elif not text.startswith("%%writefile") or text.split("\n")[0].endswith(".py"):
            compile(text.partition("\n")[2] if text.startswith("%%") else text, path.name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setenv("SEGDA_CHECKED", str(tmp_path / "checked"))
    notebook = nbformat.read(path, as_version=4)
    # The kernel of this Python, whatever is installed by that name.
    notebook.metadata["kernelspec"]["name"] = "python3"
    client = nbclient.NotebookClient(notebook, timeout=10 * SECONDS, resources={"metadata": {"path": str(tmp_path)}})
    begun = time.monotonic()
    client.execute()
    print(f"{path.stem}: {time.monotonic() - begun:.0f} s; {sys.executable}")
