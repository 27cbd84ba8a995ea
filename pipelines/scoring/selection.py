"""Score finished networks by criteria that need no label of the target, and say which each criterion picks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from pipelines.definition.schema import ComponentConfig, DataConfig
from pipelines.networks import build_task, load_networks, working_size
from pipelines.scoring import features
from pipelines.training.unreadable_files import open_now
from segda.artefacts.manifest import Manifest
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.engine import checkpoint
from segda.errors import ArtefactError, ConfigError
from segda.evaluation.evaluate import as_input
from segda.metrics import selection
from segda.metrics.confusion import Confusion
from segda.networks.networks import Networks
from segda.random_streams import derive_seed

SCHEMA = 1
ENDING = ".selection.json"


class Candidate(NamedTuple):
    """Networks that may be picked.

    Attributes:
        row: of the evaluation, or the stage's name.
        folder: of the finished stage.
        manifest: its manifest.
        step: of a checkpoint; `None` for the networks that the stage published.
    """

    row: str
    folder: Path
    manifest: Manifest
    step: int | None = None

    @property
    def name(self) -> str:
        """How tables call it."""
        return self.row if self.step is None else f"{self.row} @ step {self.step}"

    @property
    def is_oracle(self) -> bool:
        """Whether it was trained on labels of the target, so that it cannot be picked without them."""
        return (self.manifest.config.get("method") or {}).get("labels") == "target"

    def networks(self, device: torch.device) -> Networks:
        """Its encoder and head.

        Raises:
            ArtefactError: a network or the checkpoint is missing or damaged.
        """
        networks = load_networks(self.folder, self.manifest.config, ("encoder", "head"), device)
        if self.step is None:
            return networks
        place = self.folder / "checkpoints" / f"step-{self.step:08d}"
        try:
            tensors, _ = checkpoint.read(place)
            # Where an average of the networks is kept, it is what the stage publishes.
            prefix = "average/" if any(name.startswith("average/") for name in tensors) else "networks/"
            own = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            checkpoint.unflatten(networks.modules, own)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArtefactError(f"{place}: damaged checkpoint ({reason}); leave out --checkpoints") from error
        return networks


class Predictions(NamedTuple):
    """What networks made of the images of one domain.

    Attributes:
        probabilities: float64 `[N, K]`, of images, or of some pixels of each.
        losses: the share of wrong pixels of each image, NaN where none is labelled; `None` where labels are not opened.
        confusion: of all labelled pixels; likewise.
    """

    probabilities: np.ndarray
    losses: np.ndarray | None
    confusion: Confusion | None


class OpenedSet(NamedTuple):
    """One domain's data set, opened once for all candidates.

    Attributes:
        data: its config.
        dataset: its samples, in the task's label space.
        labels_opened: whether its labels are read.
    """

    data: DataConfig
    dataset: Dataset
    labels_opened: bool


class Settings(NamedTuple):
    """How much is looked at.

    Attributes:
        images: of each domain at most, one from each of as many equal parts of the sets.
        pixels: predictions drawn from an image whose label is a map.
        seed: of that draw, and of the domain classifier.
        oracle: whether labels of the target are opened.
    """

    images: int
    pixels: int
    seed: int
    oracle: bool


def candidates(rows: Mapping[str, tuple[Path, Manifest]], checkpoints: bool) -> list[Candidate]:
    """The published networks of each row; with `checkpoints`, those of the steps before that are still on disk, too."""
    found = []
    for row, (folder, manifest) in rows.items():
        for place in sorted((folder / "checkpoints").glob("step-*")) if checkpoints else ():
            step = int(place.name.removeprefix("step-"))
            if step != manifest.config.get("steps"):  # the last step is what was published
                found.append(Candidate(row, folder, manifest, step))
        found.append(Candidate(row, folder, manifest))
    return found


def select(
    chosen: Sequence[Candidate], target: DataConfig, source: DataConfig | None, settings: Settings, device: torch.device
) -> dict[str, Any]:
    """Score the candidates and let each criterion pick; what was trained on labels of the target is never picked.

    Args:
        chosen: the candidates.
        target: the set to select for; its labels are opened by `settings.oracle` alone.
        source: the labelled set for the weighted risks; without it these are left out.
        settings: how much is looked at.
        device: where to predict.

    Returns:
        What `selection.json` holds.

    Raises:
        ConfigError: every candidate was trained on labels of the target.
    """
    if all(candidate.is_oracle for candidate in chosen):
        raise ConfigError("--stage: all of these were trained on labels of the target; name one that was not")
    labels = chosen[0].manifest.config["task"]["labels"]
    far = _opened(target, labels, settings.oracle)
    near = None if source is None else _opened(source, labels, True)
    scores: dict[str, dict[str, float]] = {}
    oracle: dict[str, float] = {}
    measure = ""
    for candidate in chosen:
        scores[candidate.name], found = score(candidate, far, near, settings, device)
        if found is not None:
            measure, oracle[candidate.name] = found
    free = {candidate.name for candidate in chosen if not candidate.is_oracle}
    used = next(iter(scores.values()))
    return {
        "schema": SCHEMA,
        "target": _described(far, settings),
        "source": None if near is None else _described(near, settings),
        "settings": {"images": settings.images, "pixels": settings.pixels, "seed": settings.seed},
        "candidates": {
            candidate.name: {
                "row": candidate.row,
                "step": candidate.step,
                "stage": candidate.folder.name,
                "trained_on_target_labels": candidate.is_oracle,
                "scores": scores[candidate.name],
            }
            for candidate in chosen
        },
        "picks": {
            name: {
                "candidate": selection.best({key: scores[key][name] for key in scores if key in free}, rule.larger),
                "larger_is_better": rule.larger,
                "published": rule.source,
                "uses_target_labels": False,
            }
            for name, rule in selection.CRITERIA.items() if name in used
        },
        "oracle": {
            "measure": measure,
            "scores": oracle,
            "candidate": selection.best({key: oracle[key] for key in oracle if key in free}, larger=True),
            "uses_target_labels": True,
        } if settings.oracle else None,
    }  # fmt: skip


def score(
    candidate: Candidate, target: OpenedSet, source: OpenedSet | None, settings: Settings, device: torch.device
) -> tuple[dict[str, float], tuple[str, float] | None]:
    """Each criterion's value for one candidate, and name and value of what labels of the target say, where opened."""
    config = candidate.manifest.config
    networks, task = candidate.networks(device), build_task(ComponentConfig(**config["task"]))
    size = working_size(candidate.manifest)
    sizes: dict[Domain, Any] = {"source": source and source.data.resize or size, "target": target.data.resize or size}
    far = target.dataset
    places = features.spaced_samples(far, settings.images)
    seen = predict_samples(networks, task, far, places, "target", sizes["target"], settings, device)
    found = {
        "entropy": selection.entropy(seen.probabilities),
        "neighbourhood density": selection.neighbourhood_density(seen.probabilities),
        "mutual information": selection.mutual_information(seen.probabilities),
    }
    if source is not None:
        near = source.dataset
        own = features.spaced_samples(near, settings.images)
        vectors = features.image_features(
            networks, near, own, domain="source", resize=sizes["source"], device=device
        ).vectors
        others = features.image_features(
            networks, far, places, domain="target", resize=sizes["target"], device=device
        ).vectors
        # Every other image tells the domains apart, the rest is weighted.
        held_out = own[1::2]
        losses = predict_samples(networks, task, near, held_out, "source", sizes["source"], settings, device).losses
        assert losses is not None  # the labels are open
        weights = selection.importance_weights(vectors[::2], others, vectors[1::2], seed=settings.seed)
        known = np.isfinite(losses)
        found["weighted source risk"] = selection.weighted_risk(losses[known], weights[known])
        found["deep embedded validation"] = selection.deep_embedded_validation(losses[known], weights[known])
    if seen.confusion is None:
        return found, None
    if task.measure == "IoU":
        return found, ("mIoU", float(seen.confusion.mean_iou()))
    return found, (str(task.measure), float(seen.confusion.pixel_accuracy()))


@torch.inference_mode()
def predict_samples(
    networks: Networks,
    task: Any,
    dataset: Dataset,
    places: Sequence[int],
    domain: Domain,
    resize: tuple[int, int] | None,
    settings: Settings,
    device: torch.device,
) -> Predictions:
    """Predict on some samples of one domain, and compare with their labels where these are open."""
    labelled = dataset.samples[places[0]].label is not None
    confusion = task.meter() if labelled else None
    rows, losses = [], []
    for number, probabilities, label, name in _predictions(networks, task, dataset, places, domain, resize, device):
        flat = probabilities.reshape(len(probabilities), -1).T
        if len(flat) > settings.pixels:
            generator = np.random.default_rng(derive_seed(settings.seed, domain, "selection", number))
            flat = flat[torch.from_numpy(generator.permutation(len(flat))[: settings.pixels])]
        rows.append(flat.double().numpy())
        if confusion is None or label is None:
            continue
        one = task.meter()
        one.update(label, probabilities.argmax(dim=0).numpy(), name=name)
        confusion += one
        losses.append(1 - float(one.pixel_accuracy()) if one.pixels else np.nan)
    stacked = np.concatenate(rows)
    return Predictions(stacked / stacked.sum(axis=1, keepdims=True), np.array(losses) if labelled else None, confusion)


def _predictions(
    networks: Networks,
    task: Any,
    dataset: Dataset,
    places: Sequence[int],
    domain: Domain,
    resize: tuple[int, int] | None,
    device: torch.device,
) -> Iterator[tuple[int, torch.Tensor, np.ndarray | None, str]]:
    """Position, probabilities `[K]` or `[K, H, W]`, label and name of one sample after another."""
    maps = "label_map" in task.offers
    group: list[tuple[int, torch.Tensor, np.ndarray | None, tuple[int, ...]]] = []

    def flush() -> Iterator[tuple[int, torch.Tensor, np.ndarray | None, str]]:
        images = torch.cat([image for _, image, _, _ in group]).to(device)
        found = task.probabilities(networks, images, group[0][3], domain).float().cpu()
        for (number, _, label, _), probabilities in zip(group, found, strict=True):
            yield number, probabilities, label, str(dataset.samples[places[number]].image)

    for number, place in enumerate(places):
        pixels, label = dataset.read(place)
        image, size = as_input(pixels, resize), tuple(pixels.shape[:2]) if maps else ()
        alike = group and (image.shape, size) == (group[0][1].shape, group[0][3])
        if group and (not alike or len(group) == task.evaluation_batch):
            yield from flush()
            group = []
        group.append((number, image, label, size))
    if group:
        yield from flush()


def _opened(data: DataConfig, labels: str, with_labels: bool) -> OpenedSet:
    return OpenedSet(data, open_now(data, labels, with_labels), with_labels)


def _described(domain: OpenedSet, settings: Settings) -> dict[str, Any]:
    return {
        "dataset": domain.dataset.name,
        "split": domain.data.split,
        "fingerprint": fingerprint(domain.dataset),
        "images": min(settings.images, len(domain.dataset)),
        "labels_opened": domain.labels_opened,
    }
