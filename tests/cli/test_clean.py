"""`segda clean`: checkpoints of finished stages, and of no others."""

import shutil
from pathlib import Path

import pytest

from pipelines.__main__ import main
from segda.artefacts.store import Store
from tests.cli.conftest import Refused


@pytest.fixture(autouse=True)
def finished(data: Path) -> Path:
    """The run `job` with `source` finished."""
    assert main(["job.yaml", "--only", "source"]) == 0
    return next(Path("runs").glob("supervise-*"))


def content(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_checkpoints_of_finished_stages_are_removed_and_nothing_else(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(finished)
    freed = sum(len(file) for name, file in before.items() if name.startswith("checkpoints/"))
    assert freed > 0
    assert main(["clean", "job", "--dry-run"]) == 0
    assert f"{freed / 1e6:.1f} MB would be freed in runs" in capsys.readouterr().out
    assert content(finished) == before
    assert main(["clean", "job"]) == 0
    assert f"{finished.name}: checkpoints of {freed / 1e6:.1f} MB removed" in capsys.readouterr().out
    assert content(finished) == {name: file for name, file in before.items() if not name.startswith("checkpoints/")}
    assert main(["status", "--verify"]) == 0
    assert main(["job.yaml", "--only", "source"]) == 0, "it is still finished"
    assert main(["clean", "job"]) == 0
    assert "0.0 MB freed" in capsys.readouterr().out
    assert list(Path("runs").glob(".*")) == [], "no lock is left"


@pytest.mark.parametrize("damage", ["unfinished", "damaged", "no JSON", "locked", "link"])
def test_what_a_resume_may_need_stays(
    finished: Path, damage: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    claim = Store(Path("runs")).claim(finished)
    if damage == "unfinished":
        (finished / "manifest.json").unlink()
    elif damage == "damaged":
        (finished / "networks" / "head.safetensors").unlink()
    elif damage == "no JSON":
        (finished / "manifest.json").write_text("{")
    elif damage == "locked":
        claim.take()
    else:
        shutil.move(finished / "checkpoints", tmp_path / "elsewhere")
        (finished / "checkpoints").symlink_to(tmp_path / "elsewhere")
    before = content(finished)
    assert main(["clean", "--all"]) == 0
    output = capsys.readouterr().out
    claim.release()
    expected = {
        "unfinished": "not finished", "damaged": "head.safetensors is missing", "no JSON": "not JSON",
        "locked": "another process works in it", "link": "a link",
    }  # fmt: skip
    assert f"{finished.name}: kept: " in output
    assert expected[damage] in output
    assert "0.0 MB freed" in output
    assert content(finished) == before
    assert any((finished / "checkpoints").iterdir())


def test_a_run_is_named_or_all(refused: Refused) -> None:
    assert "name a run, or give --all" in refused("clean", finished=1)
    assert "but not both" in refused("clean", "job", "--all", finished=1)
    assert "no such run" in refused("clean", "jb", finished=1)


def test_what_cannot_be_removed_is_one_line(finished: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    assert "checkpoints: not all of it removed (Read-only file system)" in refused("clean", "job", finished=1)
