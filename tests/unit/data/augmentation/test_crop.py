import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segda.data.augmentation.crop import TrainTransform
from segda.data.resize import resize_image, resize_label
from segda.errors import ConfigError


def pixels(height: int = 20, width: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """An image with the row in red and the column in green, and a label that encodes both."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return np.dstack([rows, columns, rows]), (rows * 8 + columns).astype(np.uint8)


def test_crop_and_flip_move_image_and_label_together() -> None:
    image, label = pixels()
    transform = TrainTransform(crop=(8, 12), seed=3)
    for position in range(20):
        cut, cut_label = transform(image, label, position)
        assert cut.shape == (8, 12, 3)
        assert cut_label is not None
        assert (cut_label == (cut[:, :, 0] * 8 + cut[:, :, 1]).astype(np.uint8)).all()


@pytest.mark.promise("draws-by-position")
def test_is_a_function_of_seed_and_position() -> None:
    image, label = pixels()
    transform = TrainTransform(crop=(8, 12), scale=(0.5, 2.0), seed=3)
    again = TrainTransform(crop=(8, 12), scale=(0.5, 2.0), seed=3)
    last = [transform(image, label, position) for position in range(6)][5]
    first = again(image, label, 5)
    assert np.array_equal(first[0], last[0])
    assert np.array_equal(first[1], last[1])
    other_seed = TrainTransform(crop=(8, 12), scale=(0.5, 2.0), seed=4)(image, label, 5)
    assert not np.array_equal(first[0], other_seed[0])


def test_the_geometry_does_not_depend_on_the_label() -> None:
    image, label = pixels()
    transform = TrainTransform(resize=(18, 27), crop=(8, 12), scale=(0.8, 1.2), seed=1)
    for position in range(10):
        assert np.array_equal(transform(image, label, position)[0], transform(image, None, position)[0])


def test_scale_place_and_flip_are_drawn_independently() -> None:
    # Albumentations itself gives every transform of a chain the same random stream.
    image, _ = pixels(100, 100)
    transform = TrainTransform(crop=(50, 50), seed=0)
    left, top, flipped = [], [], []
    for position in range(400):
        cut, _ = transform(image, None, position)
        left.append(min(cut[0, 0, 1], cut[0, -1, 1]))
        top.append(cut[0, 0, 0])
        flipped.append(cut[0, 0, 1] > cut[0, -1, 1])
    assert 0.4 < np.mean(flipped) < 0.6
    for first, second in ((left, top), (left, flipped), (top, flipped)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.2
    assert set(left) >= {0, 50} or (min(left) <= 2 and max(left) >= 48), "crops reach both borders"


def test_small_images_are_padded_and_ignored_there() -> None:
    image, label = pixels(4, 6)
    padded, padded_label = TrainTransform(crop=(8, 12), flip=False)(image, label, 0)
    assert padded_label is not None
    assert padded.shape == (8, 12, 3)
    outside = padded_label == 255
    assert outside.sum() == 8 * 12 - 4 * 6
    assert (padded[outside] == 128).all()
    assert padded_label[~outside].tolist() == label.ravel().tolist()


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(2, 40), st.integers(2, 40)),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.integers(0, 2**40),
)
def test_any_image_gives_the_crop_size_and_no_new_label(
    size: tuple[int, int], crop: tuple[int, int], position: int
) -> None:
    image, label = np.zeros((*size, 3), dtype=np.uint8), np.full(size, 7, dtype=np.uint8)
    cut, cut_label = TrainTransform(crop=crop, scale=(0.5, 2.0), seed=1)(image, label, position)
    assert cut_label is not None
    assert cut.shape == (*crop, 3)
    assert cut_label.shape == crop
    assert set(np.unique(cut_label)) <= {7, 255}


def test_scale_changes_the_size_within_its_range() -> None:
    image, label = pixels(100, 200)
    transform = TrainTransform(scale=(0.5, 1.5), flip=False)
    heights = [transform(image, label, position)[0].shape[0] for position in range(60)]
    assert min(heights) >= 50
    assert max(heights) <= 150
    assert max(heights) - min(heights) > 60


def test_resize_averages_images_and_never_mixes_labels() -> None:
    image = np.array([[[0] * 3, [100] * 3, [0] * 3, [200] * 3]] * 2, dtype=np.uint8)
    label = np.array([[3, 3, 9, 9], [3, 3, 9, 9]], dtype=np.uint8)
    assert resize_image(image, (1, 2)).tolist() == [[[50] * 3, [100] * 3]]
    assert resize_label(label, (1, 2)).tolist() == [[3, 9]]
    assert resize_image(image, (2, 4)) is image
    assert resize_image(image, (4, 8)).shape == (4, 8, 3)
    small, small_label = TrainTransform(resize=(1, 2), flip=False)(image, label, 0)
    assert small.shape == (1, 2, 3)
    assert small_label is not None
    assert small_label.tolist() == [[3, 9]]


def test_shrunk_labels_stay_where_the_image_is() -> None:
    # Each third column is the middle of three; OpenCV's INTER_NEAREST would take the left one.
    ramp = np.arange(9, dtype=np.uint8)[None].repeat(2, 0)
    assert resize_label(ramp, (2, 3))[0].tolist() == [1, 4, 7]
    assert resize_image(np.dstack([ramp] * 3), (2, 3))[0, :, 0].tolist() == [1, 4, 7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": (0, 4)}, "crop"),
        ({"resize": (4, -1)}, "resize"),
        ({"scale": (2.0, 1.0)}, "scale"),
        ({"scale": (0.0, 1.0)}, "scale"),
        *(({key: value}, f"{key}: ") for key, value in (("rotate", -1), ("rotate", 181), ("shift", 1.5), ("fill", ""))),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainTransform(**options)


def test_nothing_to_draw_changes_nothing() -> None:
    image, label = pixels()
    same, same_label = TrainTransform(flip=False)(image, label, 3)
    assert np.array_equal(same, image)
    assert np.array_equal(np.asarray(same_label), label)


@pytest.mark.parametrize("options", [{}, {"crop": (8, 12)}, {"resize": (9, 9), "scale": (0.5, 2.0)}, {"rotate": 20.0}])
def test_a_class_of_the_whole_image_is_left_alone(options: dict) -> None:
    image, _ = pixels()
    label = np.array(7, dtype=np.uint8)
    moved, same = TrainTransform(**options, seed=2)(image, label, 0)
    assert same is not None
    assert (same.shape, int(same)) == ((), 7)
    assert np.array_equal(moved, TrainTransform(**options, seed=2)(image, None, 0)[0])


def test_rotation_and_shift_move_a_point_within_their_bounds() -> None:
    image = np.zeros((41, 41, 3), np.uint8)
    image[18:23, 33:38] = 255
    shifted, turned = TrainTransform(flip=False, shift=0.1, fill="black"), TrainTransform(flip=False, rotate=30)
    offsets, angles = [], []
    for position in range(60):
        moved = shifted(image, None, position)[0][:, :, 0].astype(float)
        rows, columns = np.mgrid[:41, :41]
        offsets.append(((rows * moved).sum() / moved.sum() - 20, (columns * moved).sum() / moved.sum() - 35))
        moved = (turned(image, None, position)[0][:, :, 0] > 200).astype(float)
        angles.append(
            np.degrees(np.arctan2((rows * moved).sum() / moved.sum() - 20, (columns * moved).sum() / moved.sum() - 20))
        )
    assert 2.5 < np.abs(offsets).max() < 4.7
    assert 20 < np.abs(angles).max() < 32
    assert min(angles) < -10 < 10 < max(angles)


def test_what_rotation_uncovers_is_filled_and_ignored() -> None:
    image, label = np.full((30, 30, 3), 200, np.uint8), np.zeros((30, 30), np.uint8)
    for fill, level in (("grey", 128), ("black", 0)):
        transform = TrainTransform(flip=False, rotate=45, fill=fill)  # type: ignore[arg-type]
        moved, ids = zip(*(transform(image, label, position) for position in range(8)), strict=True)
        assert min(each.min() for each in moved) == level
        assert set(np.unique(ids)) == {0, 255}
