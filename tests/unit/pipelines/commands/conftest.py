"""A finished classification run for the scoring commands."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.pipelines import colours


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run and two data configs; `unlabelled` is the target without labels."""
    made = tmp_path_factory.mktemp("colours")
    colours.run(made)
    for name in ("source", "target"):
        (made / f"{name}.yaml").write_text(f"name: arrays\nroot: {made / name}\n")
    (made / "unlabelled").mkdir()
    np.savez(made / "unlabelled" / "train.npz", images=np.load(made / "target" / "train.npz")["images"])
    return made


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder of the run the current one."""
    monkeypatch.chdir(folder)
