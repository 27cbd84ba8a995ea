from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from segda.data.dataset import Dataset
from segda.data.find import find_files
from segda.data.index import fingerprint, pair
from segda.errors import DataError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_finds_by_ending_in_any_depth_and_case(tmp_path: Path) -> None:
    touch(tmp_path / "i/b.PNG", tmp_path / "i/x/a.jpg", tmp_path / "i/notes.txt", tmp_path / "i/.hidden.png")
    assert find_files(tmp_path, "i", [".png", ".jpg"]) == {
        "b": tmp_path / "i/b.PNG",
        "x/a": tmp_path / "i/x/a.jpg",
    }


def test_unpaired_files_are_summed_up_in_one_line(tmp_path: Path) -> None:
    images = {f"{number}": tmp_path / f"i/{number}.png" for number in range(6)}
    labels = {"0": tmp_path / "l/0.png", "9": tmp_path / "l/9.png"}
    with pytest.raises(DataError) as raised:
        pair(tmp_path, images, labels)
    message = str(raised.value)
    assert "5 x image without label (i/1.png, i/2.png, i/3.png, ...)" in message
    assert "1 x label without image (l/9.png)" in message
    assert "\n" not in message


def test_labels_whose_names_go_on_are_a_hint_at_their_ending(tmp_path: Path) -> None:
    images, labels = {"ulm/1": tmp_path / "i/ulm/1.jpg"}, {"ulm/1_mask": tmp_path / "l/ulm/1_mask.png"}
    with pytest.raises(DataError, match=r"if 1_mask\.png belongs to 1\.jpg, set `label_endings: \[_mask\.png\]`; or"):
        pair(tmp_path, images, labels)


def test_labels_whose_names_begin_otherwise_are_a_hint_at_their_ending(tmp_path: Path) -> None:
    images, labels = {"ulm/1": tmp_path / "i/ulm/1.jpg"}, {"ulm/mask_1": tmp_path / "l/ulm/mask_1.png"}
    with pytest.raises(DataError, match=r"mask_1\.png belongs to 1\.jpg, set `label_endings: \['mask_\*\.png'\]`; or"):
        pair(tmp_path, images, labels)


def test_loose_pairing_keeps_what_fits(tmp_path: Path) -> None:
    images = {key: tmp_path / key for key in ("a", "b")}
    labels = {key: tmp_path / key for key in ("b", "c")}
    samples, problems = pair(tmp_path, images, labels, strict=False)
    assert [sample.key for sample in samples] == ["b"]
    assert [(problem.kind, problem.file.name) for problem in problems] == [
        ("image without label", "a"),
        ("label without image", "c"),
    ]


def test_excluded_files_need_no_partner(tmp_path: Path) -> None:
    images = {key: tmp_path / key for key in ("ulm/1", "ulm/2", "bonn/1")}
    samples, _ = pair(tmp_path, images, {"bonn/1": tmp_path / "x"}, exclude=["ulm/*"])
    assert [sample.key for sample in samples] == ["bonn/1"]


def test_fingerprint_sees_names_sizes_and_files(make_dataset: Callable[..., Dataset], tmp_path: Path) -> None:
    data = make_dataset()
    first = fingerprint(data)
    assert first == fingerprint(make_dataset()), "equal content, equal name"
    assert first != fingerprint(replace(data, name="other"))
    assert first != fingerprint(replace(data, samples=data.samples[1:]))
    with data.samples[2].image.open("ab") as file:
        file.write(b"!")
    assert fingerprint(data) != first


def test_fingerprint_without_labels_does_not_depend_on_them(make_dataset: Callable[..., Dataset]) -> None:
    with_labels, without = make_dataset(), make_dataset(labels=False)
    before = fingerprint(with_labels), fingerprint(without)
    label = with_labels.samples[0].label
    assert label is not None
    label.write_bytes(b"changed")
    assert fingerprint(with_labels) != before[0]
    label.unlink()
    assert fingerprint(without) == before[1]
    with pytest.raises(DataError, match=r"00\.png: file is missing"):
        fingerprint(with_labels)


def test_included_files_alone_need_a_partner(tmp_path: Path) -> None:
    images = {key: tmp_path / key for key in ("ulm/1", "ulm/2", "bonn/1", "bonn/2")}
    labels = {key: tmp_path / f"label {key}" for key in ("ulm/1", "bonn/1", "bonn/2", "bonn/3")}
    samples, problems = pair(tmp_path, images, labels, include=["bonn/*"], exclude=["*/2"])
    assert [(sample.key, sample.label) for sample in samples] == [("bonn/1", labels["bonn/1"])]
    assert problems == ()
    with pytest.raises(DataError, match=r"1 x image without label \(.*ulm/2"):
        pair(tmp_path, images, labels, include=["bonn/*", "ulm/2"])


def test_a_pattern_of_include_that_fits_nothing_is_named(tmp_path: Path) -> None:
    images = {key: tmp_path / key for key in ("0001TP_1", "0006R0_1")}
    with pytest.raises(DataError, match=r"include: '0001PT_\*' fits none of 2 images, such as '0001TP_1'; correct the"):
        pair(tmp_path, images, None, include=["0006R0_*", "0001PT_*"])
