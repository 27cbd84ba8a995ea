import signal
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segda.batch import Batch
from segda.data import loader
from segda.data.augmentation.chosen_crop import ChosenCrop
from segda.data.augmentation.crop import TrainTransform
from segda.data.class_counts import count
from segda.data.dataset import Dataset
from segda.data.loader import batches, positions, to_tensor
from segda.data.order import RareClasses, Shuffled, Weighted
from segda.data.readers import points as points_reader
from segda.errors import ConfigError, DataError
from segda.label_space import load
from segda.seeds import derive_seed

CROP = TrainTransform(crop=(4, 4), seed=5)
FLIP = TrainTransform(crop=(4, 4), seed=6)


def take(n: int, source: Dataset | list[Dataset], target: Dataset | None = None, **options: object) -> list[Batch]:
    given_options = {"transforms": (CROP, FLIP), "batch": 4, "seed": 0, **options}
    return list(islice(batches(source, target, **given_options), n))  # type: ignore[arg-type]


@pytest.mark.promise("samples-over-processes")
@given(
    chunk=st.integers(1, 4),
    world=st.integers(1, 4),
    accumulate=st.integers(1, 3),
    start=st.integers(0, 100),
    steps=st.integers(1, 4),
)
def test_ranks_together_see_what_one_process_sees(
    chunk: int, world: int, accumulate: int, start: int, steps: int
) -> None:
    batch = chunk * world * accumulate
    alone = [index for part in islice(positions(batch, start, 0, 1, 1), steps) for index in part]
    ranks = [list(islice(positions(batch, start, r, world, accumulate), steps * accumulate)) for r in range(world)]
    together = [index for micro in zip(*ranks, strict=True) for part in micro for index in part]
    assert together == alone == list(range(start * batch, (start + steps) * batch))


@pytest.mark.promise("data-order-resumes")
def test_a_later_start_continues_exactly(make_dataset: Callable[..., Dataset]) -> None:
    source, target = make_dataset("source", n=5), make_dataset("target", n=3, labels=False)
    whole, rest = take(6, source, target), take(2, source, target, start=4)
    for one, other in zip(whole[4:], rest, strict=True):
        assert torch.equal(one.source.image, other.source.image)
        assert one.target is not None
        assert other.target is not None
        assert torch.equal(one.target.image, other.target.image)
        assert one.source.position.tolist() == other.source.position.tolist()
    assert whole[4].source.position.tolist() == [16, 17, 18, 19]


def test_epochs_show_every_sample_once_and_domains_shuffle_apart(make_dataset: Callable[..., Dataset]) -> None:
    data = make_dataset(n=8)
    drawn = take(4, data, data, batch=4)
    keys = [key for batch in drawn for key in batch.source.key]
    assert sorted(keys[:8]) == sorted(keys[8:]) == [sample.key for sample in data.samples]
    assert keys[:8] != keys[8:]
    assert keys != [key for batch in drawn if batch.target for key in batch.target.key]


def test_shapes_types_and_ranges(make_dataset: Callable[..., Dataset]) -> None:
    (batch,) = take(1, make_dataset("source"), make_dataset("target"))
    assert batch.source.image.shape == (4, 3, 4, 4)
    assert batch.source.image.dtype == torch.float32
    assert -1 <= batch.source.image.min() < batch.source.image.max() <= 1
    assert batch.source.label is not None
    assert batch.source.label.shape == (4, 4, 4)
    assert batch.source.label.dtype == torch.int64
    assert batch.target is not None
    assert batch.target.label is None, "even where the target data set has labels"
    assert take(1, make_dataset("source"))[0].target is None


@pytest.mark.promise("no-target-labels")
def test_target_labels_are_not_opened(make_dataset: Callable[..., Dataset]) -> None:
    target = make_dataset("target")
    for sample in target.samples:
        assert sample.label is not None
        sample.label.unlink()
    assert len(take(3, make_dataset("source"), target)) == 3


def test_image_values_become_minus_one_to_one() -> None:
    image = np.array([[[0, 51, 255]]], dtype=np.uint8)
    assert to_tensor(image).flatten().tolist() == pytest.approx([-1, -0.6, 1])


@pytest.mark.promise("no-global-random-state")
def test_workers_change_nothing_and_leave_the_global_random_state(make_dataset: Callable[..., Dataset]) -> None:
    source, target = make_dataset("source", n=5), make_dataset("target", n=3, labels=False)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    runs = [take(5, source, target, workers=workers) for workers in (0, 1, 2)]
    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert torch.equal(one.source.image, other.source.image)
            assert torch.equal(one.source.label, other.source.label)  # type: ignore[arg-type]
            assert torch.equal(one.target.image, other.target.image)  # type: ignore[union-attr]
            assert one.source.key == other.source.key
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()


@pytest.mark.promise("samples-over-processes")
@settings(max_examples=8, deadline=None)
@given(world=st.sampled_from([1, 2, 4]), accumulate=st.sampled_from([1, 2]))
def test_ranks_decode_the_same_tensors(shared_dataset: Dataset, world: int, accumulate: int) -> None:
    (alone,) = take(1, shared_dataset, batch=8)
    split = {"batch": 8, "world": world, "accumulate": accumulate}
    ranks = [take(accumulate, shared_dataset, rank=r, **split) for r in range(world)]
    together = torch.cat([ranks[r][m].source.image for m in range(accumulate) for r in range(world)])
    assert torch.equal(together, alone.source.image)


@pytest.fixture(scope="module")
def shared_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    from PIL import Image

    from segda.data.decode import read_index, read_rgb
    from segda.data.find import find_files
    from segda.data.index import pair
    from segda.label_space import load

    root = tmp_path_factory.mktemp("shared")
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    for number in range(5):
        noise = np.random.default_rng(number).integers(0, 19, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"images/{number}.png")
        Image.fromarray(noise[:, :, 0]).save(root / f"labels/{number}.png")
    samples, _ = pair(root, find_files(root, "images", [".png"]), find_files(root, "labels", [".png"]))
    return Dataset("shared", root, load("cityscapes"), samples, read_rgb, read_index)


def test_a_batch_that_cannot_be_split_is_refused_at_once(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(ConfigError, match=r"batch: 6 .* 2 processes x 2 micro-batches; choose a multiple of 4"):
        batches(make_dataset(), None, transforms=(CROP, None), batch=6, seed=0, world=2, accumulate=2)
    with pytest.raises(ConfigError, match="transform"):
        batches(make_dataset(), make_dataset("t"), transforms=(CROP, None), batch=4, seed=0)


@pytest.mark.promise("broken-file-in-worker")
@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_file_is_one_line_from_workers_too(make_dataset: Callable[..., Dataset], workers: int) -> None:
    data = make_dataset()
    data.samples[2].image.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"02\.png: not a readable image") as raised:
        take(2, data, workers=workers)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("killed", "expected"), [(True, "is killed by signal: Killed"), (False, "end of file")])
def test_that_a_process_was_killed_is_said_although_its_images_are_missed_first(
    make_dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch, killed: bool, expected: str
) -> None:
    def told(number: int, frame: Any) -> None:
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    def ends(*given: Any, **options: Any) -> Iterator[Any]:
        if killed:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
        raise EOFError("end of file")
        yield

    monkeypatch.setattr(loader, "DataLoader", ends)
    before = signal.signal(signal.SIGALRM, told)
    try:
        stream = batches(make_dataset("source", 8), None, transforms=(CROP, None), batch=4, seed=0, workers=1)
        with pytest.raises((RuntimeError, EOFError), match=expected):
            next(stream)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_images_of_different_sizes_need_a_crop(
    make_dataset: Callable[..., Dataset], write_image: Callable, write_label: Callable
) -> None:
    data = make_dataset(n=4)
    write_image(data.samples[0].image, 9, 9)
    write_label(data.samples[0].label, np.zeros((9, 9)))
    keep = TrainTransform(flip=False)
    with pytest.raises(DataError, match=r"different sizes .* set `crop` or `resize`"):
        take(1, data, transforms=(keep, None))


def test_several_sources_are_drawn_from_as_one(make_dataset: Callable[..., Dataset]) -> None:
    small, large = make_dataset("small", n=2), make_dataset("large", n=4, height=12, width=16)
    transforms = [TrainTransform(resize=size, flip=False) for size in ((6, 8), (3, 4))]
    with pytest.raises(DataError, match="images of different sizes"):
        take(1, [small, large], transforms=(transforms, None), batch=6)
    transforms[0] = transforms[1]
    (batch,) = take(1, [small, large], transforms=(transforms, None), batch=6)
    expected = [(data, sample.key, number) for data in (small, large) for number, sample in enumerate(data.samples)]
    drawn = Shuffled(derive_seed(0, "source"), 6)
    for place, position in enumerate(batch.source.position.tolist()):
        data, key, number = expected[drawn(position).sample]
        image, label = transforms[0](*data.read(number), position)
        assert batch.source.key[place] == key
        assert torch.equal(batch.source.image[place], to_tensor(image))
        assert batch.source.label is not None
        assert np.array_equal(batch.source.label[place].numpy(), label)
    with pytest.raises(ConfigError, match=r"^paired: 2 sources"):
        batches([small, large], small, transforms=(transforms, None), batch=2, seed=0, paired=True)


@pytest.mark.promise("data-order-resumes")
@pytest.mark.promise("samples-over-processes")
def test_chosen_crops_of_rare_classes_over_ranks_workers_and_restarts(make_dataset: Callable[..., Dataset]) -> None:
    sets = [make_dataset("one", n=3), make_dataset("two", n=4, height=9)]
    order = Weighted([RareClasses(count(data), 0, 1.0, 0.05) for data in sets], [3, 4], [2, 1], 0)
    transforms = [ChosenCrop(TrainTransform(crop=(4, 4), seed=5), order, 0.1, 0.5) for _ in sets]
    options = {"transforms": (transforms, None), "order": order}
    whole = take(3, sets, **options)
    assert any(order(position).wanted != order(0).wanted for position in range(12))
    split = [take(4, sets, **options, start=1, rank=rank, world=2, accumulate=2, workers=rank) for rank in range(2)]
    together = [split[rank][micro].source for micro in range(4) for rank in range(2)]
    assert [key for each in together for key in each.key] == [key for each in whole[1:] for key in each.source.key]
    for name in ("image", "label", "position"):
        pieces = torch.cat([getattr(each, name) for each in together])
        assert torch.equal(pieces, torch.cat([getattr(each.source, name) for each in whole[1:]]))


def points(root: Path, labels: np.ndarray) -> Dataset:
    """Float images of one pixel with one label per image."""
    root.mkdir()
    np.savez(root / "train.npz", points=np.linspace(-1, 1, 2 * len(labels)).reshape(-1, 2), labels=labels)
    return points_reader.build(root, load("moons"))


def test_labels_of_whole_images_and_float_images(tmp_path: Path) -> None:
    data = points(tmp_path / "points", np.array([0, 1, 1, 0]))
    (batch,) = take(1, data, transforms=(TrainTransform(flip=False), None))
    assert batch.source.image.shape == (4, 3, 1, 1)
    assert batch.source.label is not None
    assert (batch.source.label.shape, batch.source.label.dtype) == ((4,), torch.int64)
    for image, label, key in zip(batch.source.image, batch.source.label, batch.source.key, strict=True):
        pixels, expected = data.read(int(key))
        assert np.array_equal(image[:, 0, 0].numpy(), pixels[0, 0]), "floats are already in range"
        assert int(label) == expected


def test_pairs_come_together_and_move_alike(make_dataset: Callable[..., Dataset]) -> None:
    data = make_dataset(n=6)
    for batch in take(4, data, data, batch=4, paired=True):
        assert batch.target is not None
        assert batch.source.key == batch.target.key
        assert torch.equal(batch.source.image, batch.target.image)
        assert batch.target.label is None
    apart = take(1, data, data, batch=6)[0]
    assert apart.target is not None
    assert apart.source.key != apart.target.key


def test_pairs_that_do_not_agree(make_dataset: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="5 samples do not pair with the 6"):
        take(1, make_dataset("one", n=6), make_dataset("two", n=5), paired=True)
    with pytest.raises(ConfigError, match="paired"):
        take(1, make_dataset("one"), paired=True)
