"""Lists of a split's images, as people and trainers write them."""

from pathlib import Path

import pytest

from segda.data.index import pair
from segda.data.split_list import listed
from segda.errors import DataError


def keys(root: Path, content: str | bytes, names: list[str], **options: bool) -> list[str]:
    """The keys that a list gives of images `names` below `root/set/images`; problems are an error."""
    found, problems = lines(root, content, names, **options)
    assert not problems
    return found


def lines(root: Path, content: str | bytes, names: list[str], **options: bool) -> tuple[list[str], list[str]]:
    """The keys, and the kind and detail of each problem."""
    data = root / "set"
    data.mkdir(exist_ok=True)
    (data / "train.txt").write_bytes(content.encode() if isinstance(content, str) else content)
    images = {name.rpartition(".")[0].removesuffix("_rgb"): data / "images" / name for name in names}
    found, problems = listed(data, "{split}.txt", "train", images, **options)
    return sorted(found), [f"{each.kind}: {each.detail}" for each in problems]


ABC = ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize(
    "content",
    [
        "a\nb\n", "a\r\nb\r\n", "a\rb", "\ufeffa\nb", "# two\n\n a \n\tb\t\n#c\n", "a # the first\nb", '"a"\n\'b\'',
        "a.jpg\nb.jpg", "a.png\nb.PNG", "images/a.jpg\nimages/b", "./images/a.jpg\n/images/b.jpg",
        "set/images/a.jpg\nset/images/b.jpg", "images\\a.jpg\nimages\\b.jpg",
        "C:\\set\\images\\a.jpg\nD:\\images\\b.jpg",
        "/another/machine/set/images/a.jpg\n~/set/images/b.jpg", "../set/images/a.jpg\n../images/b.jpg",
        "images/a.jpg labels/a.png\nimages/b.jpg labels/b.png", "a.jpg\ta_mask.png\nb.jpg,b-labels.png",
        "a.jpg; a.png\nb.jpg  b.png # the second", "/images/a.jpg /labels/a_gtFine_labelTrainIds.png\nb b",
        "a.jpg mask_a.png\nimages/b.jpg,labels/gt-b.png",
        "a\nb".encode("utf-16"), "a\r\nb".encode("utf-16-le").join([b"\xff\xfe", b""]),
        "a\r\nb".encode("utf-16-be").join([b"\xfe\xff", b""]),
    ],
)  # fmt: skip
def test_every_way_to_write_a_list(content: str | bytes, tmp_path: Path) -> None:
    assert keys(tmp_path, content, ABC) == ["a", "b"]


def test_absolute_paths_of_images(tmp_path: Path) -> None:
    assert keys(tmp_path, f"{tmp_path}/set/images/a.jpg\n{tmp_path / 'set/images/c'}", ABC) == ["a", "c"]


def test_folders_endings_and_letters(tmp_path: Path) -> None:
    names = ["ulm/1_rgb.png", "bonn/1_rgb.png", "bonn/2_rgb.png", "Ko\u0308ln/3_rgb.png", "4.rf.0a_rgb.png"]
    content = "ulm/1\nimages/bonn/1_rgb.png\n2\nK\u00f6ln/3_rgb\n4.rf.0a_rgb.jpg\n"
    assert keys(tmp_path, content, names) == ["4.rf.0a", "Ko\u0308ln/3", "bonn/1", "bonn/2", "ulm/1"]


def test_spaces_in_names(tmp_path: Path) -> None:
    names = ["my street 1.jpg", "my.jpg", "my street 2.jpg"]
    content = "my street 1.jpg\nmy street 2.jpg my street 2.png\n'my'"
    assert keys(tmp_path, content, names) == ["my", "my street 1", "my street 2"]


def test_an_image_at_the_top_is_not_one_further_below(tmp_path: Path) -> None:
    assert keys(tmp_path, "1\n", ["1.png", "ulm/1.png"]) == ["1"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("d", "listed, but missing: line 2: 'd' is no image of this data set"),
        ("a.jpgx", "listed, but missing"),
        ("a.b", "listed, but missing"),
        ("val/a.jpg", "listed, but missing"),
        ("labels/a.png", "listed, but missing"),
        ("A", "listed, but missing"),
        ("b", "listed twice: line 2: 'b' is in line 1, too"),
        ("images/b.jpg", "listed twice"),
        ("ulm/e", "listed, but missing"),
        ("e", "listed ambiguously: line 2: 'e' is bonn/e and koeln/e; write the path"),
        ("a.jpg mask_b.png", "listed label: line 2: 'mask_b.png' is no label of a.jpg"),
        ("a.jpg b.png", "listed label: line 2: 'b.png' is no label of a.jpg"),
        ("a aa.png", "listed label"),
        ("a 1", "listed label"),
        ("a -1", "listed label"),
        ("bonn/e gt/koeln/e.png", "listed label"),
    ],
)
def test_lines_that_mean_no_image_are_problems(line: str, problem: str, tmp_path: Path) -> None:
    found, problems = lines(tmp_path, f"b\n{line}\n", [*ABC, "bonn/e.jpg", "koeln/e.jpg"])
    assert found == ["b"]
    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_a_class_number_may_follow_where_labels_are_no_files(tmp_path: Path) -> None:
    assert keys(tmp_path, "set/images/back_pack/1.jpg 0\n", ["back_pack/1.jpg"], check_labels=False) == ["back_pack/1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no image"), (b"# a\n \n", "names no image"), ("K\u00f6ln".encode("latin-1"), "no text in UTF-8"),
        (None, r"list .*train\.txt is missing"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "train.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        listed(tmp_path, "{split}.txt", "train", {"a": tmp_path / "a.png"})


def test_pairs_of_a_list_need_no_others(tmp_path: Path) -> None:
    images = {key: tmp_path / f"i/{key}.jpg" for key in "abcd"}
    labels = {key: tmp_path / f"l/{key}.png" for key in "acx"}
    (tmp_path / "val.txt").write_text("c\na\n")
    samples, problems = pair(tmp_path, images, labels, "val", list="{split}.txt")
    assert [sample.key for sample in samples] == ["a", "c"]
    assert problems == ()
    (tmp_path / "val.txt").write_text("c\nb\n")
    with pytest.raises(DataError, match=r"1 x image without label \(i/b\.jpg\)"):
        pair(tmp_path, images, labels, "val", list="{split}.txt")
    assert [sample.key for sample in pair(tmp_path, images, None, "val", list="{split}.txt")[0]] == ["b", "c"]


def test_a_wrong_list_is_refused_in_one_line_and_listed_where_not_strict(tmp_path: Path) -> None:
    images = {key: tmp_path / f"{key}.jpg" for key in "ab"}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("a\nz\na\n")
    (tmp_path / "set").mkdir()
    options = {"list": str(elsewhere / "mine.txt")}
    message = r"mine\.txt, line 2: 'z' is no image of this data set, and 1 other lines are wrong; correct the list"
    with pytest.raises(DataError, match=message):
        pair(tmp_path / "set", images, None, **options)
    samples, problems = pair(tmp_path / "set", images, None, strict=False, **options)
    assert [sample.key for sample in samples] == ["a"]
    assert [problem.kind for problem in problems] == ["listed, but missing", "listed twice"]
