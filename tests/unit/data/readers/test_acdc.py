from collections.abc import Callable
from pathlib import Path

import pytest

from segda.data.readers import acdc
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace, load

ZURICH = "{split}/*"


@pytest.fixture
def root(tmp_path: Path, write_image: Callable, write_label: Callable) -> Path:
    """Night and fog, train and test, with reference images and every kind of label file."""
    for condition, sequence in (("night", "GOPR0351"), ("fog", "GOPR0475")):
        for split in ("train", "train_ref", "test"):
            reference = "ref_" if split == "train_ref" else ""
            frame = f"{condition}/{split}/{sequence}/{sequence}_frame_000041"
            write_image(tmp_path / f"rgb_anon/{frame}_rgb_{reference}anon.png", 1, 4)
        label = f"{condition}/train/{sequence}/{sequence}_frame_000041_gt"
        write_label(tmp_path / f"gt/{label}_labelTrainIds.png", [[0, 11, 18, 255]])
        write_label(tmp_path / f"gt/{label}_labelIds.png", [[7, 24, 33, 0]])
        for other in ("labelColor", "invIds"):
            write_label(tmp_path / f"gt/{label}_{other}.png", [[0, 0, 0, 0]])
    return tmp_path


FOG, NIGHT = "fog/GOPR0475/GOPR0475_frame_000041", "night/GOPR0351/GOPR0351_frame_000041"


@pytest.mark.parametrize("annotation", ["labelTrainIds", "labelIds"])
def test_all_conditions_and_both_kinds_of_labels(root: Path, cityscapes: LabelSpace, annotation: str) -> None:
    data = acdc.build(root, cityscapes, annotation=annotation)
    assert [sample.key for sample in data.samples] == [FOG, NIGHT]
    _, label = data.read(1)
    assert label is not None
    assert label.tolist() == [[0, 11, 18, 255]]
    _, label = acdc.build(root, load("synthia13"), annotation=annotation).read(0)
    assert label is not None
    assert label.tolist() == [[0, 7, 12, 255]]


def test_named_conditions(root: Path, cityscapes: LabelSpace) -> None:
    assert [each.key for each in acdc.build(root, cityscapes, conditions=("night",)).samples] == [NIGHT]
    assert len(acdc.build(root, cityscapes, conditions=("night", "fog"))) == 2
    with pytest.raises(ConfigError, match=r"conditions: 'nite' has no folder 'train' below .*; valid: fog, night"):
        acdc.build(root, cityscapes, conditions=("nite",))


def test_the_test_split_has_no_labels_and_references_are_a_split_of_their_own(
    root: Path, cityscapes: LabelSpace
) -> None:
    assert len(acdc.build(root, cityscapes, "test", with_labels=False)) == 2
    with pytest.raises(DataError, match=r"'gt/\*/test' is missing"):
        acdc.build(root, cityscapes, "test")
    images = [each.image.name for each in acdc.build(root, cityscapes, "train", with_labels=False).samples]
    assert images == ["GOPR0475_frame_000041_rgb_anon.png", "GOPR0351_frame_000041_rgb_anon.png"]
    references = acdc.build(root, cityscapes, "train_ref", with_labels=False).samples
    assert [each.image.name for each in references] == [name.replace("rgb_", "rgb_ref_") for name in images]


def test_labels_of_conditions_whose_images_are_not_there_are_not_missed(root: Path, cityscapes: LabelSpace) -> None:
    for path in (root / "rgb_anon/fog/train/GOPR0475").iterdir():
        path.unlink()
    (root / "rgb_anon/fog/train/GOPR0475").rmdir()
    (root / "rgb_anon/fog/train").rmdir()
    assert [each.key for each in acdc.build(root, cityscapes).samples] == [NIGHT]


def test_dark_zurich_has_its_splits_outside(
    tmp_path: Path, cityscapes: LabelSpace, write_image: Callable, write_label: Callable
) -> None:
    for name in ("train/night/GOPR0345", "train/day/GOPR0345", "val/night/GOPR0356", "val_ref/day/GOPR0356_ref"):
        write_image(tmp_path / f"rgb_anon/{name}/{name[-8:]}_frame_000324_rgb_anon.png", 1, 2)
    write_label(tmp_path / "gt/val/night/GOPR0356/GOPR0356_frame_000324_gt_labelTrainIds.png", [[13, 255]])
    data = acdc.build(tmp_path, cityscapes, "val", folders=ZURICH)
    assert [each.key for each in data.samples] == ["night/GOPR0356/GOPR0356_frame_000324"]
    train = acdc.build(tmp_path, cityscapes, "train", with_labels=False, folders=ZURICH)
    assert [each.key[:5] for each in train.samples] == ["day/G", "night"]
    night = acdc.build(tmp_path, cityscapes, "train", with_labels=False, folders=ZURICH, conditions=("night",))
    assert len(night) == 1


def test_the_tree_without_conditions_that_some_trainers_make(root: Path, cityscapes: LabelSpace) -> None:
    for kind in ("rgb_anon", "gt"):
        (root / kind / "train").mkdir()
        for path in (root / kind / "night/train/GOPR0351").iterdir():
            path.rename(root / kind / "train" / path.name)
    data = acdc.build(root, cityscapes, folders="{split}")
    assert [each.key for each in data.samples] == ["GOPR0351_frame_000041"]


def test_lists_as_trainers_write_them(root: Path, cityscapes: LabelSpace) -> None:
    (root / "list.txt").write_text(f"rgb_anon/{NIGHT.replace('/', '/train/', 1)}_rgb_anon.png\n")
    assert [each.key for each in acdc.build(root, cityscapes, list="list.txt").samples] == [NIGHT]
