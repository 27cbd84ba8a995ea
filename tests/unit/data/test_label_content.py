"""Labels that mean something else. The ids of these tests are laid out by hand, each with a share of the pixels."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segda.data import label_content
from segda.data.check import check
from segda.data.dataset import Dataset
from segda.data.label_content import inspect
from segda.data.readers import camvid, carla, cityscapes, folder, gta5, idd, synthia
from segda.errors import DataError
from segda.label_space import LabelSpace, load
from segda.label_spaces.cityscapes import EVALUATED, SPACE, id_palette

# Of 100 pixels of a street, by train id: a third road, a fifth building, and so on.
STREET = {0: 33, 1: 6, 2: 20, 3: 1, 4: 1, 5: 2, 6: 1, 7: 1, 8: 14, 9: 1, 10: 4, 11: 1, 13: 6, 18: 1, 255: 8}
RAW = {**dict(enumerate(EVALUATED)), 255: 0}
LABEL_IDS = {RAW[train]: share for train, share in STREET.items()} | {1: 3, 2: 2, 3: 1, 4: 2}


def pixels(shares: dict[int, int], dtype: type = np.uint8) -> np.ndarray:
    return np.repeat(list(shares), list(shares.values())).astype(dtype)[None]


def write_image(path: Path, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 1)).save(path)


def city(root: Path, labels: list[np.ndarray], *, palette: bool = False) -> Path:
    for number, label in enumerate(labels):
        name = f"a_{number:06d}_000019"
        write_image(root / f"leftImg8bit/val/a/{name}_leftImg8bit.png", label.shape[1])
        save(root / f"gtFine/val/a/{name}_gtFine_labelIds.png", label, palette)
    return root


def game(root: Path, labels: list[np.ndarray], *, palette: bool = False) -> Path:
    for number, label in enumerate(labels):
        write_image(root / f"images/{number:05d}.png", label.shape[1])
        save(root / f"labels/{number:05d}.png", label, palette)
    return root


def save(path: Path, label: np.ndarray, palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label)
    if palette:
        image.putpalette(id_palette())
    image.save(path)


def own(root: Path, shares: dict[int, int], classes: dict[int, str], number: int = 5, **options: object) -> Dataset:
    for index in range(number):
        write_image(root / f"images/{index}.png", sum(shares.values()))
        save(root / f"labels/{index}.png", pixels(shares, np.uint16 if max(shares) > 255 else np.uint8))
    return folder.build(root, SPACE, "train", images="images", labels="labels", classes=classes, **options)


def refusal(dataset: Dataset) -> str:
    """What is wrong, the same before a run and in a check."""
    with pytest.raises(DataError) as raised:
        inspect(dataset)
    problems = [problem for problem in check(dataset).problems if problem.kind == "wrong labels"]
    assert len(problems) == 1
    assert str(raised.value).startswith(str(dataset.root))  # or one of its files
    assert str(raised.value).endswith(f": {problems[0].detail}")
    return problems[0].detail


def warnings(dataset: Dataset) -> list[str]:
    report = check(dataset)
    assert report.problems == ()
    assert list(report.doubts) == inspect(dataset)
    return list(report.doubts)


@pytest.mark.parametrize("form", ["grey", "palette", "16 bits"])
@pytest.mark.parametrize("space", ["cityscapes", "synthia16", "synthia13"])
def test_train_ids_in_files_of_label_ids(tmp_path: Path, form: str, space: str) -> None:
    label = pixels(STREET, np.uint16 if form == "16 bits" else np.uint8)
    palette = form == "palette"
    for number, dataset in enumerate((
        cityscapes.build(city(tmp_path / "city", [label] * 2, palette=palette), load(space), "val"),
        gta5.build(game(tmp_path / "game", [label] * 2, palette=palette), load(space)),
    )):  # fmt: skip
        message = refusal(dataset)
        assert "0..11, 13, 18, 255" in message
        assert "train ids of" in message
        assert ("'cityscapes'", "'gta5'")[number] in message


@pytest.mark.parametrize("space", ["cityscapes", "synthia16", "synthia13"])
def test_label_ids_are_sound(tmp_path: Path, space: str) -> None:
    label = pixels(LABEL_IDS)
    assert warnings(cityscapes.build(city(tmp_path / "city", [label] * 5), load(space), "val")) == []
    assert warnings(gta5.build(game(tmp_path / "game", [label] * 5, palette=True), load(space))) == []


def test_few_train_ids_are_recognised_too(tmp_path: Path) -> None:
    label = pixels({0: 35, 1: 6, 2: 25, 8: 15, 10: 5, 13: 14})
    assert "train ids" in refusal(cityscapes.build(city(tmp_path, [label]), SPACE, "val"))


@pytest.mark.parametrize("shares", [
    {0: 60, 1: 5, 2: 3, 3: 3, 4: 1, 7: 20, 8: 8},  # only the ground is annotated
    {1: 4, 2: 2, 3: 2, 4: 1, 7: 50, 11: 41},
    {7: 1}, {0: 99, 7: 1}, {0: 10, 5: 2, 6: 3, 7: 50, 9: 5, 11: 20, 17: 10},
])  # fmt: skip
def test_a_few_label_ids_are_sound(tmp_path: Path, shares: dict[int, int]) -> None:
    inspect(cityscapes.build(city(tmp_path, [pixels(shares)] * 2), SPACE, "val"))


@pytest.mark.parametrize("shares", [{0: 90, 1: 5, 3: 5}, {0: 100}, {255: 100}, {0: 1, 1: 1, 2: 1, 3: 1}])
def test_dummies_of_a_test_split(tmp_path: Path, shares: dict[int, int]) -> None:
    message = refusal(cityscapes.build(city(tmp_path, [pixels(shares)] * 3), SPACE, "val"))
    assert "no pixel of 3 labels counts" in message
    assert "train ids" not in message
    assert "split" in message


def test_one_pixel_that_counts_is_found_among_many_labels(tmp_path: Path) -> None:
    labels = [pixels({0: 9})] * 39 + [pixels({0: 8, 7: 1})]
    dataset = cityscapes.build(city(tmp_path, labels), SPACE, "val")
    assert len(dataset) > label_content.LOOKED_AT
    inspect(replace(dataset, samples=dataset.samples[::-1]))
    inspect(dataset)


def test_only_a_few_labels_of_a_large_set_are_read(tmp_path: Path) -> None:
    dataset = cityscapes.build(city(tmp_path, [pixels(LABEL_IDS)] * 3), SPACE, "val")
    read: list[Path] = []

    def count(path: Path) -> np.ndarray:
        read.append(path)
        return np.full((1, 100), 7, np.uint8)

    decoder = label_content.decoder_of(dataset)
    inspect(replace(dataset, samples=dataset.samples * 500, decode_label=replace(decoder, read_ids=count)))
    assert len(read) == label_content.LOOKED_AT


def of_synthia(root: Path, ids: list[int]) -> Dataset:
    for number in range(2):
        write_image(root / f"RGB/{number}.png", 10 * len(ids))
        channels = np.zeros((1, 10 * len(ids), 3), np.uint16)
        channels[:, :, 2] = np.repeat(ids, 10)
        (root / "GT/LABELS").mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / f"GT/LABELS/{number}.png"), channels)
    return synthia.build(root, load("synthia16"))


def test_train_ids_in_synthia_fill_its_classes(tmp_path: Path) -> None:
    assert "train ids of 'synthia16'" in refusal(of_synthia(tmp_path / "16", [*range(16)]))
    assert "train ids of Cityscapes" in refusal(of_synthia(tmp_path / "19", [*range(19)]))
    assert "train ids of Cityscapes" in refusal(of_synthia(tmp_path / "void", [*range(19), 255]))
    # Of a few it is not told whose they are, only what 255 is.
    assert "255 often is what is ignored, as in train ids" in refusal(of_synthia(tmp_path / "few", [0, 2, 8, 10, 255]))


def of_idd(root: Path, shares: dict[int, int]) -> Dataset:
    for number in range(5):
        write_image(root / f"leftImg8bit/val/0/{number}_leftImg8bit.png", sum(shares.values()))
        save(root / f"gtFine/val/0/{number}_gtFine_labellevel3Ids.png", pixels(shares))
    return idd.build(root, SPACE, "val")


def test_train_ids_in_idd_end_before_its_most_frequent_classes(tmp_path: Path) -> None:
    assert "train ids of 'cityscapes'" in refusal(of_idd(tmp_path / "a", STREET))
    every = dict.fromkeys([*range(26), 255], 2)
    assert warnings(of_idd(tmp_path / "b", every)) == []
    assert warnings(of_idd(tmp_path / "c", {**dict.fromkeys(range(16), 2), 22: 9, 25: 4})) == []


def test_train_ids_where_another_label_space_has_other_names(tmp_path: Path) -> None:
    message = refusal(cityscapes.build(city(tmp_path, [pixels(STREET)]), load("camvid"), "val"))
    assert "train ids of Cityscapes" in message
    assert warnings(cityscapes.build(city(tmp_path / "sound", [pixels(LABEL_IDS)] * 5), load("camvid"), "val")) == []


@pytest.mark.parametrize("space", ["cityscapes", "synthia16"])
def test_synthia_as_published_is_sound(tmp_path: Path, space: str) -> None:
    for number in range(5):
        write_image(tmp_path / f"RGB/{number}.png", 230)
        channels = np.zeros((1, 230, 3), np.uint16)
        channels[:, :, 2] = np.repeat(np.arange(23), 10)
        (tmp_path / "GT/LABELS").mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / f"GT/LABELS/{number}.png"), channels)
    assert warnings(synthia.build(tmp_path, load(space))) == []


@pytest.mark.parametrize("space", ["camvid", "cityscapes"])
def test_camvid_and_carla_as_published_are_sound(tmp_path: Path, space: str) -> None:
    for number in range(5):
        write_image(tmp_path / f"train/{number}.png", 120)
        save(tmp_path / f"trainannot/{number}.png", np.repeat(np.arange(12, dtype=np.uint8), 10)[None])
        write_image(tmp_path / f"CameraRGB/{number}.png", 130)
        (tmp_path / "CameraSeg").mkdir(exist_ok=True)
        red = np.zeros((1, 130, 3), np.uint8)
        red[:, :, 2] = np.repeat(np.arange(13), 10)
        assert cv2.imwrite(str(tmp_path / f"CameraSeg/{number}.png"), red)
    if space == "camvid":
        assert warnings(camvid.build(tmp_path, load(space))) == []
    assert warnings(carla.build(tmp_path, load(space), ego_row=1)) == []


TRAIN_IDS: dict[int, str] = dict(enumerate(SPACE.classes))


def test_label_ids_where_a_class_list_expects_train_ids(tmp_path: Path) -> None:
    assert "label ids of Cityscapes" in refusal(own(tmp_path, LABEL_IDS, TRAIN_IDS, ignore=(255,)))


def test_label_ids_that_a_class_list_ignores(tmp_path: Path) -> None:
    ignored = (*range(19, 35), 255)
    assert "label ids of Cityscapes" in refusal(own(tmp_path, LABEL_IDS, TRAIN_IDS, ignore=ignored))


def test_a_class_list_that_ignores_most_ids_is_believed(tmp_path: Path) -> None:
    ignored = (*range(1, 19), 255)
    assert inspect(own(tmp_path / "a", STREET, {0: "road"}, ignore=ignored)) == []
    ids = dict.fromkeys(range(7), 10)
    assert inspect(own(tmp_path / "b", ids, {3: "road", 5: "car"}, ignore=(0, 1, 2, 4, 6))) == []


@pytest.mark.parametrize(("shares", "classes", "options", "words"), [
    ({26003: 9, 24001: 9}, {24: "person", 26: "car"}, {}, "number the instances"),
    ({0: 9, 255: 9}, {0: "road", 1: "car"}, {}, "name 255 in place of 1"),
    ({0: 9, 1: 9}, {0: "road", 255: "car"}, {}, "name 1 in place of 255"),
    ({1: 9, 2: 9, 3: 9}, {0: "road", 1: "car", 2: "sky"}, {"ignore": (255,)}, "all are one above"),
    ({0: 9, 1: 9, 2: 9}, {1: "road", 2: "car", 3: "sky"}, {}, "all are one below"),
    ({0: 9, 1: 9, 255: 9}, {0: "road", 1: "car", 2: "sky"}, {}, "name it in `ignore`"),
])  # fmt: skip
def test_ids_outside_the_map_that_show_why(
    tmp_path: Path, shares: dict[int, int], classes: dict[int, str], options: dict, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        inspect(own(tmp_path, shares, classes, **options))


def test_an_id_outside_the_map_is_found_before_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels/0\.png: id 9 \(5 pixels\) outside the id map"):
        inspect(own(tmp_path, {1: 9, 9: 5}, {1: "road", 2: "car"}))
    assert inspect(own(tmp_path, {1: 9, 9: 5}, {1: "road", 2: "car"}), skip_broken=True) == []


def test_a_class_list_of_which_most_are_absent(tmp_path: Path) -> None:
    [doubt] = warnings(own(tmp_path, {0: 75, 1: 25}, TRAIN_IDS))
    assert "17 of 19 classes are absent from 5 labels" in doubt
    assert "road 75.0%, sidewalk 25.0%" in doubt


def test_few_labels_and_few_classes_are_no_doubt(tmp_path: Path) -> None:
    assert warnings(own(tmp_path / "one", {0: 75, 1: 25}, TRAIN_IDS, number=1)) == []
    assert warnings(own(tmp_path / "two", {0: 75, 1: 25}, {0: "road", 1: "car"})) == []
    assert warnings(own(tmp_path / "half", {0: 75, 1: 25}, {0: "road", 1: "car", 2: "sky", 3: "bus"})) == []


def test_foreground_that_is_ignored(tmp_path: Path) -> None:
    doubts = warnings(own(tmp_path, {0: 75, 255: 25}, {0: "road", 1: "car"}, ignore=(255,)))
    assert any("all pixels that count" in doubt and "road" in doubt for doubt in doubts)
    assert any("0 and 255 alone" in doubt for doubt in doubts)


def test_classes_numbered_from_1_whose_last_is_absent(tmp_path: Path) -> None:
    [doubt] = warnings(own(tmp_path, {1: 30, 2: 30, 3: 40}, {0: "road", 1: "car", 2: "sky", 3: "bus"}))
    assert "id 0 (road) is absent" in doubt


def test_classes_numbered_from_0_whose_last_is_absent(tmp_path: Path) -> None:
    from_1 = {1: "road", 2: "car", 3: "sky"}
    [doubt] = warnings(own(tmp_path / "a", {0: 30, 1: 30, 2: 40}, from_1, ignore=(0,)))
    assert "id 3 (sky) is absent" in doubt
    assert warnings(own(tmp_path / "b", {0: 30, 1: 30, 3: 40}, from_1, ignore=(0,))) == []


@pytest.mark.parametrize(("palette", "is_doubted"), [
    ([0, 0, 0, 250, 0, 0], False),
    ([250, 0, 0, 0, 0, 0], True),  # the same two colours, the other way round
    ([0, 0, 0, 0, 90, 0], False),  # drawn in other colours
])  # fmt: skip
def test_palettes_in_which_a_colour_changes_its_id(tmp_path: Path, palette: list[int], is_doubted: bool) -> None:
    dataset = own(tmp_path, {0: 5, 1: 7}, {0: "road", 1: "car"})
    for number in range(5):
        image = Image.fromarray(pixels({0: 5, 1: 7}), "P")
        image.putpalette(palette if number == 4 else [0, 0, 0, 250, 0, 0])
        image.save(tmp_path / f"labels/{number}.png")
    found = warnings(dataset)
    assert bool(found) == is_doubted
    if is_doubted:
        assert found[0].startswith("colour [250, 0, 0] is id 1 in 0.png, but id 0 in 4.png: if the colours mean")
        colours = {"road": (0, 0, 0), "car": (250, 0, 0)}
        assert warnings(folder.build(tmp_path, SPACE, images="images", labels="labels", colours=colours)) == []
        (tmp_path / "labels/1.png").write_bytes(b"broken")
        assert [problem.kind for problem in check(dataset).problems] == ["broken file"]


def test_sets_of_whole_images_are_not_looked_at(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> None:
    dataset = replace(make_dataset(), decode_label=lambda path: np.array(3, np.uint8))
    assert inspect(dataset) == []
    assert check(dataset).doubts == ()


def test_a_reader_without_native_ids(make_dataset: Callable[..., Dataset], cityscapes: LabelSpace) -> None:
    dataset = replace(make_dataset(), decode_label=lambda path: np.full((6, 8), 255, np.uint8))
    with pytest.raises(DataError, match="no pixel of 5 labels counts"):
        inspect(dataset)


def test_orientations_are_looked_at_before_work(tmp_path: Path) -> None:
    dataset = own(tmp_path, {0: 6, 1: 6}, {0: "road", 1: "car"})
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (12, 1)).save(tmp_path / "images/2.png", exif=exif)
    with pytest.raises(DataError, match=r"images/2\.png: has EXIF orientation 3"):
        inspect(dataset)
    assert inspect(own(tmp_path, {0: 6, 1: 6}, {0: "road", 1: "car"}, orientation="apply")) == []


@pytest.mark.parametrize("with_labels", [True, False])
def test_twelve_bits_that_are_not_declared_are_a_doubt(tmp_path: Path, with_labels: bool) -> None:
    own(tmp_path, {0: 6, 1: 6}, {0: "road", 1: "car"})
    assert cv2.imwrite(str(tmp_path / "images/0.png"), np.full((1, 12, 3), 4000, np.uint16))

    def doubts(**options: object) -> list[str]:
        return inspect(folder.build(
            tmp_path, SPACE, "train", with_labels, images="images", labels="labels", classes={0: "road", 1: "car"},
            **options,
        ))  # fmt: skip

    report = check(folder.build(tmp_path, SPACE, images="images", labels="labels", classes={0: "road", 1: "car"}))
    assert "0.png holds numbers of 16 bits" in report.doubts[0]
    assert [doubt for doubt in doubts() if "0.png" in doubt and "4000" in doubt and "`values: [0, 4095]`" in doubt]
    assert doubts(values=(0, 4095)) == []
    assert cv2.imwrite(str(tmp_path / "images/0.png"), np.full((1, 12, 3), 40000, np.uint16))
    assert doubts() == []


def test_without_labels_orientations_are_looked_at(tmp_path: Path) -> None:
    own(tmp_path, {0: 6}, {0: "road"})
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (6, 1)).save(tmp_path / "images/2.png", exif=exif)
    with pytest.raises(DataError, match=r"images/2\.png: has EXIF orientation 3"):
        inspect(folder.build(tmp_path, SPACE, "train", False, images="images", orientation="refuse"))
