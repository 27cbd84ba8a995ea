from pathlib import Path

import pytest

from segda.files import is_below, is_plain, leading_out


@pytest.mark.parametrize("name", ["a", "a/b.png", "a..b", "…/x", "a b\n.png", "<script>"])
def test_names_below(name: str) -> None:
    assert is_below(name)
    assert is_plain(name) == ("/" not in name)


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../../b", "a/..", "/etc/passwd", "a\0b", None, 3, ["a"]])
def test_names_that_lead_out(name: object) -> None:
    assert not is_below(name)
    assert not is_plain(name)


def test_links_that_lead_out(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "root-2"
    (root / "own").mkdir(parents=True)
    elsewhere.mkdir()
    for folder in (root / "own", elsewhere):
        (folder / "file").touch()
    (root / "inner").symlink_to("own")
    (root / "inner_file").symlink_to(root / "own" / "file")
    (tmp_path / "moved").symlink_to(root)
    names = ["own/file", "inner/file", "inner_file", "gone/file"]
    assert leading_out(root, names) is None
    assert leading_out(tmp_path / "moved", names) is None, "the folder itself may be reached by a link"
    (root / "out").symlink_to(elsewhere)
    (root / "own" / "out_file").symlink_to("../../root-2/file")
    assert leading_out(root, [*names, "out/file"]) == "out/file"
    assert leading_out(root, [*names, "own/out_file"]) == "own/out_file"
    assert leading_out(root, [*names, "own/../own/file"]) == "own/../own/file"
