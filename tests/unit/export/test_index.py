"""The list of a finished export's files, and every change to one of them."""

import json
from pathlib import Path

import pytest

from segda.errors import ArtefactError
from segda.export import index

NAMES = ["images/a/1.png", "images/b.png", "labels/a/1.png", "labels/b.png"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}")
    (tmp_path / "agreement.json").write_text("{}")
    index.publish(tmp_path, {"keys": ["a/1", "b"], "layout": "segda"}, [*NAMES, "agreement.json"])
    return tmp_path


def differences(folder: Path) -> list[tuple[str, str]]:
    return [(kind, file) for kind, file, _ in index.check(folder)[1]]


def test_an_untouched_export_has_no_differences(folder: Path) -> None:
    assert differences(folder) == []
    assert index.is_whole(folder)
    listed = json.loads((folder / "dataset.json").read_text())["files"]
    # The SHA-256 of "content of labels/b.png", by sha256sum.
    assert listed["labels/b.png"]["bytes"] == 23
    assert set(listed) == {*NAMES, "agreement.json"}


@pytest.mark.promise("check-export")
@pytest.mark.parametrize("name", [*NAMES, "agreement.json"])
def test_each_file_that_is_altered_or_deleted_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-1] + b"?")
    assert differences(folder) == [("differs", name)]
    (folder / name).write_bytes(content[:-1])
    assert index.check(folder)[1][0].detail == f"{len(content) - 1} bytes, expected {len(content)}"
    with pytest.raises(ArtefactError, match=f"{name}: differs"):
        index.is_whole(folder)
    (folder / name).unlink()
    assert differences(folder) == [("missing", name)]


@pytest.mark.promise("check-export")
def test_files_too_many_are_named(folder: Path) -> None:
    (folder / "images" / "c.png").touch()
    (folder / "labels" / ".b.png.partial").touch()
    (folder / "manifest.json").touch()
    assert differences(folder) == [("too many", "images/c.png"), ("too many", "labels/.b.png.partial")]


def test_the_index_itself_is_checked(folder: Path) -> None:
    content = json.loads((folder / "dataset.json").read_text())
    content["keys"] = ["b"]
    (folder / "dataset.json").write_text(json.dumps(content))
    assert differences(folder) == [("differs", "dataset.json")]


def test_no_index_is_no_export(folder: Path) -> None:
    (folder / "dataset.json").write_text(json.dumps({"keys": []}))
    with pytest.raises(ArtefactError, match="lists no checksums"):
        index.check(folder)
    (folder / "dataset.json").unlink()
    assert not index.is_whole(folder)
    with pytest.raises(ArtefactError, match="not a finished export"):
        index.check(folder)


@pytest.mark.promise("export-complete")
def test_nothing_but_the_expected_files_may_be_there(folder: Path) -> None:
    index.require(folder, NAMES, index.FOLDERS)
    with pytest.raises(ArtefactError, match=r"images/c\.png: not written, one of 1 missing files"):
        index.require(folder, [*NAMES, "images/c.png"], index.FOLDERS)
    with pytest.raises(ArtefactError, match=r"labels/b\.png: not a file of this export"):
        index.require(folder, NAMES[:-1], index.FOLDERS)
