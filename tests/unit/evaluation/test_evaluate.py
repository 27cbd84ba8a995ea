"""Evaluation: what is scored, at which size, how processes share it, and what is written with the scores."""

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from segda import label_space
from segda.data.dataset import Dataset, Sample
from segda.errors import ArtefactError, ConfigError, DataError
from segda.evaluation.batching import as_input
from segda.evaluation.evaluate import evaluate, groupings
from segda.evaluation.scores import Evaluation
from segda.evaluation.test_time_augmentation import Augmentation, predict
from segda.label_space import LabelSpace
from segda.label_spaces.cityscapes import CATEGORIES
from segda.metrics.boundary import Boundary
from segda.metrics.mean_iou import Confusion
from segda.tasks import classification
from segda.tasks.segmentation import Segmentation, build

SPACE = LabelSpace("colours", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))


class ColourNetworks:
    """The image's channels are the logits, so pure colours are classified right. The encoder holds a frozen module."""

    def __init__(self) -> None:
        self.modules = {"encoder": nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3))}
        self.modules["encoder"][1].eval()
        self.sizes: list[tuple[int, ...]] = []
        self.modes: set[tuple[bool, bool, bool]] = set()

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        assert domain == "target"
        self.sizes.append(tuple(image.shape[-2:]))
        flags = tuple(module.training for module in self.modules["encoder"].modules())
        self.modes.add((any(flags), torch.is_grad_enabled(), torch.is_inference_mode_enabled()))
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        return features[-1]


def write(root: Path, labels: list[np.ndarray], scale: int = 1) -> Dataset:
    """Images in which each class has its pure colour, `scale` times as large as their labels."""
    samples = []
    for index, label in enumerate(labels):
        colours = SPACE.colorize(label).repeat(scale, axis=0).repeat(scale, axis=1)
        image_path, label_path = root / f"{index}.png", root / f"{index}_label.png"
        cv2.imwrite(str(image_path), colours[..., ::-1])
        cv2.imwrite(str(label_path), label)
        samples.append(Sample(str(index), image_path, label_path))
    return Dataset(
        "colours",
        root,
        SPACE,
        tuple(samples),
        decode_image=lambda path: cv2.imread(str(path))[..., ::-1],
        decode_label=lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED),
    )


def label_maps(count: int, size: tuple[int, int] = (32, 64)) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    maps = [random.integers(0, 3, size, dtype=np.uint8) for _ in range(count)]
    for label in maps:
        label[:2] = 255
    return maps


@pytest.fixture
def task() -> Segmentation:
    return build(SPACE)


def test_perfect_networks_score_one_and_ignored_pixels_are_counted(tmp_path: Path, task: Segmentation) -> None:
    evaluation = evaluate(ColourNetworks(), write(tmp_path, label_maps(3)), task)
    assert evaluation.confusion.mean_iou() == 1
    assert (evaluation.images, evaluation.confusion.pixels, evaluation.confusion.ignored) == (
        3,
        3 * 30 * 64,
        3 * 2 * 64,
    )


@pytest.mark.promise("evaluation-over-processes")
def test_any_number_of_processes_gives_the_same_counts_and_every_image_once(tmp_path: Path, task: Segmentation) -> None:
    dataset = write(tmp_path, label_maps(5, (8, 9)))
    alone = evaluate(ColourNetworks(), dataset, task, resize=(4, 5))
    assert 0 < alone.confusion.mean_iou() < 1
    for world in (2, 3, 7):
        parts: list[Tensor] = []

        def keep(part: Tensor, parts: list[Tensor] = parts) -> Tensor:
            parts.append(part)
            return torch.stack(parts).sum(dim=0)

        for rank in range(world):
            together = evaluate(ColourNetworks(), dataset, task, resize=(4, 5), rank=rank, world=world, reduce=keep)
        assert len(parts) == world
        assert (together.confusion.counts == alone.confusion.counts).all()
        assert together.images == together.protocol["images"] == 5
        assert together.confusion.ignored == alone.confusion.ignored


@pytest.mark.promise("label-size")
def test_scores_are_taken_at_the_size_of_the_label_whatever_the_networks_see(
    tmp_path: Path, task: Segmentation
) -> None:
    labels = [np.repeat(np.array([[0], [1], [2], [0]], dtype=np.uint8), 8, axis=0).repeat(32, axis=1)]
    dataset, networks = write(tmp_path, labels), ColourNetworks()
    evaluation = evaluate(networks, dataset, task, resize=(64, 64))
    assert networks.sizes == [(64, 64)]
    assert evaluation.confusion.pixels == 32 * 32


def test_a_label_of_another_size_than_its_image_is_refused(tmp_path: Path, task: Segmentation) -> None:
    dataset = write(tmp_path, label_maps(1), scale=2)
    with pytest.raises(DataError, match=r"0_label\.png: label is \d+x\d+ .* they must match"):
        evaluate(ColourNetworks(), dataset, task)


def test_networks_are_in_evaluation_mode_meanwhile_and_afterwards_as_they_were(
    tmp_path: Path, task: Segmentation
) -> None:
    networks = ColourNetworks()
    modes = [module.training for module in networks.modules["encoder"].modules()]
    assert modes == [True, True, False]
    dataset = write(tmp_path, label_maps(1))
    evaluate(networks, dataset, task)
    assert networks.modes == {(False, False, True)}
    assert [module.training for module in networks.modules["encoder"].modules()] == modes

    (tmp_path / "0_label.png").unlink()
    size = cv2.imread(str(tmp_path / "0.png")).shape[:2]
    cv2.imwrite(str(tmp_path / "0_label.png"), np.full(size, 9, np.uint8))
    with pytest.raises(DataError, match=r"0_label\.png: label value 9"):
        evaluate(networks, dataset, task)
    assert [module.training for module in networks.modules["encoder"].modules()] == modes, "after an error, too"


def test_the_protocol_stands_beside_the_score(tmp_path: Path, task: Segmentation) -> None:
    weights = tmp_path / "head.safetensors"
    weights.write_bytes(b"weights")
    seen: list[tuple[int, int]] = []
    evaluation = evaluate(
        ColourNetworks(),
        write(tmp_path, label_maps(2)),
        task,
        resize=(32, 32),
        network_files={"head": weights},
        data_fingerprint="abc",
        progress=lambda *state: seen.append(state),
    )
    protocol = evaluation.protocol
    assert protocol.pop("seconds") >= 0
    assert protocol == {
        "dataset": "colours",
        "label_space": "colours",
        "classes": ["red", "green", "blue"],
        "resize": [32, 32],
        "resize_rule": "area where the image shrinks, bilinear where it grows",
        "inference": {"flip": False, "scales": [1.0], "window": None, "stride": None},
        "prediction_rule": "whole image in one pass, logits upsampled bilinearly to the label's size, argmax",
        "measure": "IoU",
        "images": 2,
        "pixels_scored": 2 * 30 * 64,
        "pixels_ignored": 2 * 2 * 64,
        "network_fingerprints": {"head": hashlib.sha256(b"weights").hexdigest()},
        "data_fingerprint": "abc",
    }
    assert seen == [(1, 2), (2, 2)]


class RightLeaning(ColourNetworks):
    """Classifies the right half of every input as blue."""

    def classify(self, features: list[Tensor]) -> Tensor:
        logits = features[-1].clone()
        logits[:, 2, :, logits.shape[-1] // 2 :] += 3
        return logits


def test_augmentation_changes_the_score_and_stands_in_the_protocol(tmp_path: Path, task: Segmentation) -> None:
    dataset = write(tmp_path, [np.zeros((32, 64), np.uint8)])
    plain = evaluate(RightLeaning(), dataset, task)
    assert plain.confusion.counts[0].tolist() == [32 * 32, 0, 32 * 32]
    how = Augmentation(flip=True, window=(32, 32), stride=(32, 8))
    evaluation = evaluate(RightLeaning(), dataset, task, inference=how)
    expected = predict(RightLeaning(), task, as_input(dataset.read(0)[0]), (32, 64), how)
    assert evaluation.confusion.counts[0].tolist() == torch.bincount(expected.ravel(), minlength=3).tolist()
    assert evaluation.confusion.counts.tolist() != plain.confusion.counts.tolist()
    assert evaluation.protocol["inference"] == {"flip": True, "scales": [1.0], "window": [32, 32], "stride": [32, 8]}
    assert "windows of 32x32 every 32x8" in evaluation.protocol["prediction_rule"]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_borders_are_scored_over_all_processes_where_asked_for(tmp_path: Path, task: Segmentation, world: int) -> None:
    labels = label_maps(3, (20, 24))
    dataset = write(tmp_path, labels)
    assert evaluate(ColourNetworks(), dataset, task).boundary is None
    parts: list[Tensor] = []

    def keep(part: Tensor) -> Tensor:
        parts.append(part)
        return torch.stack(parts).sum(dim=0)

    for rank in range(world):
        evaluation = evaluate(
            RightLeaning(), dataset, task, boundary=True, rank=rank, world=world, reduce=keep, resize=(20, 24)
        )
    expected = Boundary(SPACE.classes)
    for index, label in enumerate(labels):
        expected.update(label, task.predict(RightLeaning(), as_input(dataset.read(index)[0]), label.shape)[0])
    assert evaluation.boundary is not None
    assert (evaluation.boundary.counts == expected.counts).all()
    assert evaluation.images == 3
    content = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert content["boundary"]["mean_iou"] == pytest.approx(expected.mean_iou())
    assert list(content["boundary"]["iou"]) == list(SPACE.classes)
    assert Evaluation.from_json(content).to_json() == evaluation.to_json()


def test_subspaces_and_categories_of_cityscapes_stand_in_the_json() -> None:
    """19 classes: the mean over SYNTHIA's 16 and 13, and the seven categories."""
    space = label_space.load("cityscapes")
    confusion = Confusion(space.classes)
    confusion.counts += np.diag(np.arange(1, 20))
    confusion.counts[0, 9] = 7  # terrain predicted as road; terrain is not among the 16
    task = build(space)
    content = Evaluation(confusion, 1, {"images": 1, **groupings(task.space, task.measure)}).to_json()
    iou = dict(zip(space.classes, confusion.iou(), strict=True))
    for name, count in (("synthia16", 16), ("synthia13", 13)):
        classes = label_space.load(name).classes
        assert content["subspaces"][name] == {
            "classes": count, "mean_iou": pytest.approx(sum(iou[each] for each in classes) / count),
        }  # fmt: skip
    assert content["subspaces"]["synthia16"]["mean_iou"] < 1, "a pixel lost to a class outside is an error"
    assert list(content["categories"]["iou"]) == list(CATEGORIES)
    assert content["categories"]["iou"]["flat"] == pytest.approx(3 / 10)
    assert content["categories"]["iou"]["nature"] == pytest.approx(19 / 26)
    assert content["categories"]["mean_iou"] == pytest.approx((5 + 3 / 10 + 19 / 26) / 7)


def test_spaces_without_groups_and_classification_have_none(tmp_path: Path, task: Segmentation) -> None:
    content = evaluate(ColourNetworks(), write(tmp_path, label_maps(1)), task).to_json()
    assert not {"subspaces", "categories", "boundary"} & set(content)
    assert groupings(label_space.load("cityscapes"), classification.build(SPACE).measure) == {}
    with pytest.raises(ConfigError, match="boundary: the task predicts one class an image"):
        evaluate(ColourNetworks(), write(tmp_path, label_maps(1)), classification.build(SPACE), boundary=True)


def test_json_has_no_nan_and_gives_the_evaluation_back(tmp_path: Path, task: Segmentation) -> None:
    evaluation = evaluate(ColourNetworks(), write(tmp_path, [np.zeros((32, 32), np.uint8)]), task)
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    content = json.loads(text)
    assert content["iou"] == {"red": 1.0, "green": None, "blue": None}
    assert content["absent"] == ["green", "blue"]
    assert content["scores"]["mean_iou"] == content["scores"]["frequency_weighted_iou"] == 1
    assert Evaluation.from_json(content).to_json() == evaluation.to_json()
    del content["protocol"]
    with pytest.raises(ArtefactError, match=r"x\.json.*protocol"):
        Evaluation.from_json(content, "x.json")


def test_what_cannot_be_scored_is_refused_before_any_work(tmp_path: Path, task: Segmentation) -> None:
    networks = ColourNetworks()
    dataset = write(tmp_path, label_maps(1))
    fields = {name: getattr(dataset, name) for name in ("name", "root", "space", "decode_image", "decode_label")}
    with pytest.raises(DataError, match="no sample"):
        evaluate(networks, Dataset(**fields, samples=()), task)
    unlabelled = Sample("0", tmp_path / "0.png", None)
    with pytest.raises(DataError, match=r"0\.png: no label"):
        evaluate(networks, Dataset(**fields, samples=(*dataset.samples, unlabelled)), task)
    other = LabelSpace("others", ("a", "b", "c"), SPACE.palette)
    with pytest.raises(ConfigError, match="'colours'.*'others'"):
        evaluate(networks, dataset, build(other))
    with pytest.raises(ArtefactError, match="absent"):
        evaluate(networks, dataset, task, network_files={"head": tmp_path / "absent"})
    assert networks.sizes == []
