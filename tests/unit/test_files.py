"""Files are written atomically; labels are hard links or copies of the source's."""

import os
from pathlib import Path

import pytest

from segda.errors import ArtefactError
from segda.files import is_there, link_whole, write_whole


def test_written_whole_over_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.png"
    path.parent.mkdir()
    (path.parent / ".b.png.partial").write_bytes(b"half")
    write_whole(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [child.name for child in path.parent.iterdir()] == ["b.png"]


@pytest.mark.parametrize("hard_link", [True, False])
def test_a_label_is_linked_or_copied(tmp_path: Path, hard_link: bool) -> None:
    origin, path = tmp_path / "origin.png", tmp_path / "deep" / "label.png"
    origin.write_bytes(b"ids")
    (tmp_path / "way.png").symlink_to(origin)
    link_whole(tmp_path / "way.png", path, hard_link=hard_link)
    assert path.read_bytes() == b"ids"
    assert not path.is_symlink()
    assert path.samefile(origin) == hard_link
    # Again, as after a kill between link and rename: renaming one hard link of a file to another does nothing.
    link_whole(tmp_path / "way.png", path, hard_link=hard_link)
    assert [child.name for child in path.parent.iterdir()] == ["label.png"]


def test_a_label_is_copied_where_links_are_not_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "origin.png").write_bytes(b"ids")
    link_whole(tmp_path / "origin.png", tmp_path / "label.png", hard_link=True)
    assert (tmp_path / "label.png").read_bytes() == b"ids"


@pytest.mark.promise("written-files-kept")
def test_an_empty_file_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert not is_there(tmp_path / "empty")
    assert not is_there(tmp_path / "none")
    write_whole(tmp_path / "one", b"1")
    assert is_there(tmp_path / "one")


def test_a_folder_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ArtefactError, match="cannot be written.*run the same command again"):
        write_whole(tmp_path / "taken" / "image.png", b"1")


@pytest.mark.promise("atomic-files")
@pytest.mark.parametrize("moment", ["write", "fsync", "rename"])
def test_an_error_at_any_moment_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    write_whole(tmp_path / "a", b"old")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    owner, name = {"write": (Path, "write_bytes"), "fsync": (os, "fsync"), "rename": (os, "replace")}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, full)
        with pytest.raises(ArtefactError, match=r"a: cannot be written \(No space left on device\); free space"):
            write_whole(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
