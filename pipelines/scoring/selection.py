"""Score finished networks by criteria that need no label of the target, and let each criterion pick."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from pipelines.definition.schema import DataConfig
from pipelines.networks import load_predictor
from pipelines.scoring import features
from pipelines.training.unreadable_files import open_readable
from segda.artefacts.manifest import Manifest
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.engine import checkpoint
from segda.errors import ArtefactError, ConfigError, reason
from segda.evaluation.batching import ReadSample, batched, read_samples
from segda.evaluation.predict import Predictor
from segda.metrics import selection
from segda.metrics.mean_iou import Confusion
from segda.seeds import derive_seed
from segda.terminal.progress import ProgressLine

SCHEMA = 1
ENDING = ".selection.json"


class Candidate(NamedTuple):
    """Networks to choose from: a row of the evaluation, or a stage by its name, with its folder and manifest.

    `step` is of a checkpoint; `None` for the networks that the stage published.
    """

    row: str
    folder: Path
    manifest: Manifest
    step: int | None = None

    @property
    def name(self) -> str:
        """Its name in tables."""
        return self.row if self.step is None else f"{self.row} @ step {self.step}"

    @property
    def is_oracle(self) -> bool:
        """Whether it was trained on labels of the target, so that no criterion may pick it."""
        return (self.manifest.config.get("method") or {}).get("labels") == "target"

    def predictor(self, device: torch.device) -> Predictor:
        """Its encoder and head.

        Raises:
            ArtefactError: a network or the checkpoint is missing or damaged.
        """
        predictor = load_predictor(self.folder, self.manifest, device)
        if self.step is None:
            return predictor
        folder = self.folder / "checkpoints" / f"step-{self.step:08d}"
        try:
            tensors, _ = checkpoint.read(folder)
            # Where the checkpoint has an average of the networks, it is what the stage publishes.
            prefix = "average/" if any(name.startswith("average/") for name in tensors) else "networks/"
            own = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            checkpoint.unflatten(predictor.networks.modules, own)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ArtefactError(f"{folder}: damaged checkpoint ({reason(error)}); leave out --checkpoints") from error
        return predictor


class Predictions(NamedTuple):
    """Predictions on the images of one domain.

    Attributes:
        probabilities: float64 `[N, K]`, of images, or of some pixels of each.
        losses: the share of wrong pixels of each image, NaN where none is labelled; `None` where labels are not opened.
        confusion: of all labelled pixels; likewise.
    """

    probabilities: np.ndarray
    losses: np.ndarray | None
    confusion: Confusion | None


class OpenedSet(NamedTuple):
    """One domain's data set and its config, opened once for all candidates."""

    data: DataConfig
    dataset: Dataset


class Settings(NamedTuple):
    """How much is predicted.

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
    """The published networks of each row; with `checkpoints`, also those of earlier steps that are still on disk."""
    choices = []
    for row, (folder, manifest) in rows.items():
        for path in sorted((folder / "checkpoints").glob("step-*")) if checkpoints else ():
            step = int(path.name.removeprefix("step-"))
            if step != manifest.config.get("steps"):  # the last step is what was published
                choices.append(Candidate(row, folder, manifest, step))
        choices.append(Candidate(row, folder, manifest))
    return choices


def select(
    choices: Sequence[Candidate],
    target_data: DataConfig,
    source_data: DataConfig | None,
    settings: Settings,
    device: torch.device,
) -> dict[str, Any]:
    """Score the candidates and let each criterion pick; those trained on labels of the target are never picked.

    Labels of the target are opened only with `settings.oracle`. Without a source the weighted risks are left out.

    Returns:
        The content of `selection.json`.

    Raises:
        ConfigError: every candidate was trained on labels of the target.
    """
    if all(candidate.is_oracle for candidate in choices):
        raise ConfigError("--stage: all of these were trained on labels of the target; name one that was not")
    labels = choices[0].manifest.config["task"]["labels"]
    target = OpenedSet(target_data, open_readable(target_data, labels, settings.oracle))
    source = None if source_data is None else OpenedSet(source_data, open_readable(source_data, labels, True))
    scores: dict[str, dict[str, float]] = {}
    oracle: dict[str, float] = {}
    measure = ""
    for candidate in choices:
        scores[candidate.name], score_with_labels = score(candidate, target, source, settings, device)
        if score_with_labels is not None:
            measure, oracle[candidate.name] = score_with_labels
    free = {candidate.name for candidate in choices if not candidate.is_oracle}
    used = next(iter(scores.values()))
    return {
        "schema": SCHEMA,
        "target": _described(target, settings.images, settings.oracle),
        "source": None if source is None else _described(source, settings.images, True),
        "settings": {"images": settings.images, "pixels": settings.pixels, "seed": settings.seed},
        "candidates": {
            candidate.name: {
                "row": candidate.row,
                "step": candidate.step,
                "stage": candidate.folder.name,
                "trained_on_target_labels": candidate.is_oracle,
                "scores": scores[candidate.name],
            }
            for candidate in choices
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
    """Each criterion's value for one candidate; and name and value of its score by labels of the target, if opened."""
    predictor = candidate.predictor(device)
    on_target = replace(predictor, resize=target.data.resize or predictor.resize)
    samples = features.spaced_samples(target.dataset, settings.images)
    of_source = [] if source is None else features.spaced_samples(source.dataset, settings.images)
    total = len(samples) if source is None else 2 * len(samples) + len(of_source) + len(of_source) // 2
    with ProgressLine(f"select {candidate.name}", 0, total, "images", aside=True) as line:
        predictions = predict_samples(on_target, target.dataset, samples, "target", settings, line.over)
        risks = {}
        if source is not None:
            target_vectors = features.image_features(on_target, target.dataset, line.over(samples), "target").vectors
            on_source = replace(predictor, resize=source.data.resize or predictor.resize)
            risks = _weighted_risks(on_source, source.dataset, of_source, target_vectors, settings, line.over)
    scores = {
        "entropy": selection.entropy(predictions.probabilities),
        "neighbourhood density": selection.neighbourhood_density(predictions.probabilities),
        "mutual information": selection.mutual_information(predictions.probabilities),
        **risks,
    }
    confusion = predictions.confusion
    if confusion is None:
        return scores, None
    if predictor.task.measure == "IoU":
        return scores, ("mIoU", float(confusion.mean_iou()))
    return scores, (predictor.task.measure, float(confusion.pixel_accuracy()))


def _weighted_risks(
    predictor: Predictor, source: Dataset, samples: Sequence[int], target_vectors: np.ndarray, settings: Settings,
    over: Callable[[Iterable[int]], Iterator[int]],
) -> dict[str, float]:  # fmt: skip
    """The source's error, weighted by how much its images look like the target's, plain and as in DEV."""
    vectors = features.image_features(predictor, source, over(samples), "source").vectors
    # Every other image trains the domain classifier, the rest is weighted.
    losses = predict_samples(predictor, source, samples[1::2], "source", settings, over).losses
    assert losses is not None  # the labels are open
    weights = selection.importance_weights(vectors[::2], target_vectors, vectors[1::2], seed=settings.seed)
    finite = np.isfinite(losses)
    return {
        "weighted source risk": selection.weighted_risk(losses[finite], weights[finite]),
        "deep embedded validation": selection.deep_embedded_validation(losses[finite], weights[finite]),
    }


@torch.inference_mode()
def predict_samples(
    predictor: Predictor, dataset: Dataset, samples: Sequence[int], domain: Domain, settings: Settings,
    over: Callable[[Iterable[int]], Iterator[int]] = iter,
) -> Predictions:  # fmt: skip
    """Predict on some samples of one domain, and compare with their labels where these are open.

    `over` is what the samples are counted by, such as `ProgressLine.over`.
    """
    task = predictor.task
    confusion = task.meter() if dataset.samples[samples[0]].label is not None else None
    rows, losses = [], []
    for number, (probabilities, sample) in enumerate(_predictions(predictor, dataset, over(samples), domain)):
        flat = probabilities.reshape(len(probabilities), -1).T
        if len(flat) > settings.pixels:
            generator = np.random.default_rng(derive_seed(settings.seed, domain, "selection", number))
            flat = flat[torch.from_numpy(generator.permutation(len(flat))[: settings.pixels])]
        rows.append(flat.double().numpy())
        if confusion is None or sample.label is None:
            continue
        one = task.meter()
        one.update(sample.label, probabilities.argmax(dim=0).numpy(), name=str(dataset.samples[sample.index].image))
        confusion += one
        losses.append(1 - float(one.pixel_accuracy()) if one.pixels else np.nan)
    stacked = np.concatenate(rows)
    normalised = stacked / stacked.sum(axis=1, keepdims=True)
    return Predictions(normalised, None if confusion is None else np.array(losses), confusion)


def _predictions(
    predictor: Predictor, dataset: Dataset, samples: Iterable[int], domain: Domain
) -> Iterator[tuple[torch.Tensor, ReadSample]]:
    """The probabilities `[K]` or `[K, H, W]` of each sample."""
    task = predictor.task
    maps = "label_map" in task.offers
    reads = read_samples(dataset, samples, predictor.resize)
    for batch in batched(reads, lambda read: (read.image.shape, read.size if maps else ()), task.evaluation_batch):
        images = torch.cat([read.image for read in batch]).to(predictor.device)
        size = batch[0].size if maps else ()
        yield from zip(task.probabilities(predictor.networks, images, size, domain).float().cpu(), batch, strict=True)


def _described(domain: OpenedSet, images: int, labels_opened: bool) -> dict[str, Any]:
    return {
        "dataset": domain.dataset.name,
        "split": domain.data.split,
        "fingerprint": fingerprint(domain.dataset),
        "images": min(images, len(domain.dataset)),
        "labels_opened": labels_opened,
    }
