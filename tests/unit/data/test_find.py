"""Which files of a data set are images, which are labels, and which are neither."""

from pathlib import Path

import pytest

from segda.data.find import PICTURES, Place, find_images, find_labels, folder_names, pictures
from segda.data.index import find_pairs
from segda.data.readers import folder
from segda.errors import DataError
from segda.label_space import load

PNG = (".png",)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def pairs(root: Path, images: Place, labels: Place, with_labels: bool = True, **options: bool) -> dict[str, str | None]:
    """Image to label, both below the root."""
    samples, _ = find_pairs(root, images, labels, "train", with_labels, **options)
    return {
        each.image.relative_to(root).as_posix(): each.label and each.label.relative_to(root).as_posix()
        for each in samples
    }


@pytest.mark.parametrize(
    ("image", "label", "endings", "label_endings"),
    [
        ("x.png", "x_mask.png", PNG, ("_mask.png",)),
        ("x.png", "x-mask.PNG", PICTURES, ("-mask.png",)),
        ("x.png", "x_L.png", PNG, ("_L.png",)),
        ("x.png", "x_labels.png", PICTURES, ("_labels.png",)),
        ("x.jpg", "x.png", (".jpg",), PNG),
        ("x.jpg", "x.png", PICTURES, PNG),
        ("x.jpg", "x.jpg.png", (".jpg",), (".jpg.png",)),
        ("x.jpg", "x.jpg.png", PICTURES, (".jpg.png",)),
        ("x_rgb.png", "x.png", ("_rgb.png",), PNG),
        ("x.jpg", "x_json/label.png", (".jpg",), ("_json/label.png",)),
        ("x_json/img.png", "x_json/label.png", ("/img.png",), ("/label.png",)),
        ("x.png", "mask_x.png", PICTURES, ("mask_*.png",)),
        ("a/img_x.JPG", "a/Mask_x.png", ("img_*.jpg",), ("mask_*.png",)),
        ("x.jpg", "gt_x_ids.png", PICTURES, ("gt_*_ids.png",)),
    ],
)
def test_a_label_beside_its_image_is_no_image(
    image: str, label: str, endings: tuple[str, ...], label_endings: tuple[str, ...], tmp_path: Path
) -> None:
    second = image.replace("x", "y"), label.replace("x", "y")
    touch(tmp_path, *(f"train/{name}" for name in (image, label, *second)))
    images, labels = Place("train", endings), Place("train", label_endings)
    expected = {f"train/{image}": f"train/{label}", f"train/{second[0]}": f"train/{second[1]}"}
    assert pairs(tmp_path, images, labels) == expected
    assert pairs(tmp_path, images, labels, with_labels=False) == dict.fromkeys(expected)


def test_a_label_folder_within_the_image_folder_holds_no_images_and_the_reverse(tmp_path: Path) -> None:
    touch(tmp_path, "train/x.png", "train/masks/x.png", "photos/y.png", "y.png")
    images, labels = Place("train", PNG), Place("train/masks", PNG)
    assert pairs(tmp_path, images, labels) == {"train/x.png": "train/masks/x.png"}
    assert pairs(tmp_path, images, labels, with_labels=False) == {"train/x.png": None}
    (tmp_path / "train/masks/x.png").unlink()
    (tmp_path / "train/x.png").unlink()
    assert pairs(tmp_path, Place("photos", PNG), Place(".", PNG)) == {"photos/y.png": "y.png"}


def test_labels_of_other_splits_below_the_images_are_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "x.png", "labels/train/x.png", "labels/val/y.png")
    for with_labels, label in ((True, "labels/train/x.png"), (False, None)):
        opened = folder.build(
            tmp_path, load("cityscapes"), "train", with_labels, images=".", labels="labels/{split}", classes={0: "road"}
        )
        [sample] = opened.samples
        assert (sample.image, sample.label) == (tmp_path / "x.png", label and tmp_path / label)


@pytest.mark.parametrize(("name", "what"), [("1.tif", "labels"), ("1.npy", "labels"), ("1_rgb.png", "images")])
def test_files_of_which_none_ends_as_expected_are_named(name: str, what: str, tmp_path: Path) -> None:
    touch(tmp_path, f"{what}/{name}")
    images, labels = Place("images", ("_leftImg8bit.png",)), Place("labels", PNG)
    with pytest.raises(DataError, match=rf"{what}: no {what[:-1]} that ends in .* among 1 files, such as {name}; give"):
        find_labels(tmp_path, labels, images) if what == "labels" else find_images(tmp_path, images, labels)


def test_a_photograph_of_a_mask_in_a_folder_of_its_own_is_an_image(tmp_path: Path) -> None:
    touch(tmp_path, "images/carnival_mask.png", "labels/carnival_mask_mask.png")
    found = pairs(tmp_path, Place("images", PNG), Place("labels", ("_mask.png",)))
    assert found == {"images/carnival_mask.png": "labels/carnival_mask_mask.png"}


def test_images_and_labels_that_are_the_same_files_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/x.png", "train/x_mask.png")
    for endings in (PNG, PICTURES):
        with pytest.raises(
            DataError, match=r"train: images and labels are the same files.*label_endings: \[_mask.png\]"
        ):
            find_images(tmp_path, Place("train", endings), Place("train", PNG))


@pytest.mark.parametrize(
    "suffix",
    ["_mask", "-mask", "_label", "_labels", "_gt", "_seg", "_L", "_color", "_gtFine_labelIds", "_labelTrainIds",
     ".mask", "Mask", "_mask_1", "_mask0", "_ground_truth", "_lbl", "_manual1"],
)  # fmt: skip
def test_what_looks_like_a_label_beside_its_image_is_never_taken_unsaid(suffix: str, tmp_path: Path) -> None:
    touch(tmp_path, "train/x.png", f"train/x{suffix}.png")
    elsewhere = Place("labels/train", PNG)
    with pytest.raises(DataError, match=rf"x{suffix}\.png: seems to be the label of.*exclude: \['\*{suffix}'\]"):
        find_images(tmp_path, Place("train", PNG), elsewhere)
    assert sorted(find_images(tmp_path, Place("train", PNG), elsewhere, exclude=["x?*"])) == ["x", f"x{suffix}"]
    (tmp_path / "train/x.png").unlink()
    assert list(find_images(tmp_path, Place("train", PNG), elsewhere)) == [f"x{suffix}"]


@pytest.mark.parametrize("prefix", ["mask_", "gt-", "Label_"])
def test_what_begins_like_a_label_beside_its_image_is_never_taken_unsaid(prefix: str, tmp_path: Path) -> None:
    touch(tmp_path, "train/a/x.png", f"train/a/{prefix}x.png")
    with pytest.raises(DataError, match=rf"{prefix}x\.png: seems to be the label of.*exclude: \['\*{prefix}\*'\]"):
        find_images(tmp_path, Place("train", PNG))


def test_other_trainers_labels_beside_the_real_ones_are_left_alone(tmp_path: Path) -> None:
    others = ("_labelTrainIds", "_labelIds", "_color", "_instanceIds", "_trainIds")
    touch(tmp_path, "images/1.png", "labels/1.png", *(f"labels/1{other}.png" for other in others))
    images, labels = Place("images", PNG), Place("labels", PNG)
    assert pairs(tmp_path, images, labels) == {"images/1.png": "labels/1.png"}
    touch(tmp_path, "labels/2_color.png")
    with pytest.raises(DataError, match=r"1 x label without image \(labels/2_color\.png\)"):
        pairs(tmp_path, images, labels)
    # In one folder, too: beside declared labels, further ones are no images.
    touch(tmp_path, "train/1.png", "train/1_mask.png", "train/1_color.png")
    assert pairs(tmp_path, Place("train", PNG), Place("train", ("_mask.png",))) == {"train/1.png": "train/1_mask.png"}


@pytest.mark.parametrize("ending", PICTURES)
def test_pictures_of_any_kind_are_found_by_default(ending: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", f"images/2{ending}", f"images/a_rgb{ending}")
    assert sorted(find_images(tmp_path, Place("images", PICTURES))) == ["1", "2", "a_rgb"]
    assert list(find_images(tmp_path, Place("images", pictures("_rgb")), exclude=["*"])) == ["a"]


@pytest.mark.parametrize("other", [".jpg", ".JPEG", ".webp", ".heic", ".tif"])
def test_pictures_that_would_be_left_out_for_their_kind_are_named(other: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/a/1_rgb.png", f"images/b/1_rgb{other}", f"images/a/1_depth{other}")
    with pytest.raises(DataError, match=rf"images: 1 pictures of another kind than _rgb\.png, such as 1_rgb{other}"):
        find_images(tmp_path, Place("images", ("_rgb.png",)))
    assert list(find_images(tmp_path, Place("images", ("_rgb.png",)), exclude=["b/*"])) == ["a/1"]


def test_pictures_that_belong_to_an_image_are_not_left_out_images(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.jpg", "images/1.png", "images/1_depth.png", "images/readme.txt")
    assert list(find_images(tmp_path, Place("images", (".jpg",)))) == ["1"]


@pytest.mark.parametrize("ending", [".json", "_polygons.json", ".xml", ".txt"])
def test_polygons_in_place_of_label_images_are_named(ending: str, tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", f"labels/1{ending}")
    images = Place("images", PNG)
    for endings in (PNG, (ending,)):
        with pytest.raises(
            DataError, match=rf"labels: polygons or other text in 1 files, such as 1{ending}.*make label"
        ):
            find_labels(tmp_path, Place("labels", endings), images)
    touch(tmp_path, "labels/1.png")
    assert list(find_labels(tmp_path, Place("labels", PNG), images)) == ["1"]


def test_a_star_stands_for_folders(tmp_path: Path) -> None:
    touch(tmp_path, "rgb/night/val/s/1.png", "rgb/fog/val/2.png", "rgb/fog/train/3.png", "rgb/.hidden/val/4.png")
    assert folder_names(tmp_path, "rgb/*/val") == ["fog", "night"]
    assert sorted(find_images(tmp_path, Place("rgb/*/val", PNG))) == ["fog/2", "night/s/1"]
    assert list(find_images(tmp_path, Place("rgb/*/val", PNG, ("fog",)))) == ["fog/2"]
    with pytest.raises(DataError, match=r"folder 'rgb/\*/test' is missing below"):
        find_images(tmp_path, Place("rgb/*/test", PNG))


def test_hidden_folders_hold_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "images/1.png", "images/.ipynb_checkpoints/1-checkpoint.png")
    assert list(find_images(tmp_path, Place("images", PNG))) == ["1"]


FOGGY = ("_foggy_beta_0.005.png", "_foggy_beta_0.01.png", "_foggy_beta_0.02.png")


def test_several_images_of_one_label(tmp_path: Path) -> None:
    touch(tmp_path, *(f"fog/a_1_leftImg8bit{ending}" for ending in FOGGY), "gt/a_1_labelIds.png")
    labels = Place("gt", ("_labelIds.png",))
    with pytest.raises(DataError, match="same name but for the ending.*set `several_images: true`"):
        pairs(tmp_path, Place("fog", tuple(f"_leftImg8bit{ending}" for ending in FOGGY)), labels)
    for endings in (PNG, tuple(f"_leftImg8bit{ending}" for ending in FOGGY)):
        found = pairs(tmp_path, Place("fog", endings), labels, several_images=True)
        assert found == {f"fog/a_1_leftImg8bit{ending}": "gt/a_1_labelIds.png" for ending in FOGGY}
    found = pairs(tmp_path, Place("fog", (f"_leftImg8bit{FOGGY[2]}",)), labels)
    assert found == {f"fog/a_1_leftImg8bit{FOGGY[2]}": "gt/a_1_labelIds.png"}


def test_several_images_take_the_label_of_the_longest_name(tmp_path: Path) -> None:
    touch(tmp_path, "i/1_2_fog.png", "i/1_fog.png", "i/12_fog.png", "l/1.png", "l/1_2.png")
    images, labels = Place("i", PNG), Place("l", PNG)
    with pytest.raises(DataError, match=r"1 x image without label \(i/12_fog\.png\)"):
        pairs(tmp_path, images, labels, several_images=True)
    touch(tmp_path, "l/12.png")
    expected = {"i/12_fog.png": "l/12.png", "i/1_2_fog.png": "l/1_2.png", "i/1_fog.png": "l/1.png"}
    assert pairs(tmp_path, images, labels, several_images=True) == expected


def test_two_kinds_of_one_picture_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "i/1.png", "i/1.jpg")
    with pytest.raises(DataError, match="same name but for the ending; keep one of them, or give its ending$"):
        find_images(tmp_path, Place("i", PICTURES))
