import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segda.data.check import check, render
from segda.data.dataset import Dataset
from segda.data.readers import gta5
from segda.errors import DataError
from segda.label_space import LabelSpace


@pytest.fixture
def root(tmp_path: Path, write_image: Callable, write_label: Callable) -> Path:
    for key in ("1", "2", "3", "4"):
        write_image(tmp_path / f"images/{key}.png", 2, 4)
        write_label(tmp_path / f"labels/{key}.png", [[7, 7, 7, 0], [23, 23, 7, 0]], palette=True)
    return tmp_path


def test_a_sound_set(root: Path, cityscapes: LabelSpace) -> None:
    report = check(gta5.build(root, cityscapes))
    assert report.pairs == 4
    assert report.sizes == {(2, 4): 4}
    assert report.ids == {0: 8, 7: 16, 23: 8}
    assert (report.pixels["road"], report.pixels["sky"], report.ignored) == (16, 8, 8)
    assert report.problems == ()
    text = render(report)
    assert "no problems found" in text
    assert "66.667%" in text
    assert text.count("  absent") == 17


@pytest.mark.promise("check-names-all")
def test_all_problems_are_found_not_the_first_alone(
    root: Path, cityscapes: LabelSpace, write_image: Callable, write_label: Callable
) -> None:
    write_image(root / "images/unpaired.png")
    write_label(root / "labels/orphan.png", [[0]])
    (root / "images/1.png").write_bytes(b"broken")
    broken = root / "labels/2.png"
    broken.write_bytes(broken.read_bytes()[:60])
    write_label(root / "labels/3.png", [[7, 99], [99, 98]])
    report = check(gta5.build(root, cityscapes, strict=False))
    problems = sorted((problem.kind, problem.file.relative_to(root).as_posix()) for problem in report.problems)
    assert problems == [
        ("broken file", "images/1.png"),
        ("broken file", "labels/2.png"),
        ("id outside the map", "labels/3.png"),
        ("id outside the map", "labels/3.png"),
        ("image without label", "images/unpaired.png"),
        ("label without image", "labels/orphan.png"),
        ("size mismatch", "labels/3.png"),
    ]
    assert report.ids[99] == 2
    assert report.pairs == 4
    text = render(report)
    assert "problems found: 7" in text
    assert "id 99, 2 pixels" in text
    assert "OUTSIDE THE MAP" in text
    assert "label 2x2, image 2x4" in text


def test_rendering_shortens_long_lists(root: Path, cityscapes: LabelSpace, write_image: Callable) -> None:
    for number in range(14):
        write_image(root / f"images/unpaired{number}.png")
    text = render(check(gta5.build(root, cityscapes, strict=False)))
    assert "image without label: 14" in text
    assert "... and 4 more" in text


def test_workers_and_progress(make_dataset: Callable[..., Dataset]) -> None:
    data = make_dataset(n=7)
    seen: list[tuple[int, int]] = []
    report = check(data, workers=4, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 7) for done in range(1, 8)]
    assert report == check(data, workers=1)


@pytest.mark.promise("few-files-at-a-time")
def test_few_files_are_taken_up_at_a_time(make_dataset: Callable[..., Dataset]) -> None:
    dataset = make_dataset(n=1)
    read: list[Path] = []

    def decode(path: Path) -> np.ndarray:
        read.append(path)
        return dataset.decode_image(path)

    many = replace(dataset, samples=dataset.samples * 200, decode_image=decode)
    ahead: list[int] = []

    def progress(done: int, total: int) -> None:
        time.sleep(0.002)  # time for the threads to run ahead further than they may
        ahead.append(len(read) - done)

    check(many, workers=2, progress=progress)
    assert len(read) == 200
    assert max(ahead) <= 8


def test_a_reader_without_native_ids_is_checked_in_class_indices(make_dataset: Callable[..., Dataset]) -> None:
    data = make_dataset(n=2)
    plain = replace(data, decode_label=lambda path: np.full((6, 8), 3, dtype=np.uint8))
    report = check(plain)
    assert report.ids == {3: 96}
    assert report.pixels["wall"] == 96


def test_labels_are_needed(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="opened without labels"):
        check(make_dataset(labels=False))
