"""Predictions, translations, reconstructions and features of single images, for people to look at."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipelines.definition.schema import Size
from pipelines.scoring import features
from pipelines.stages.export.translation import Translator
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.data.resize import resize_image
from segda.evaluation.predict import Predictor
from segda.label_space import LabelSpace
from segda.report.embedding import Panel
from segda.report.pictures import Scene
from segda.report.thumbnails import Line, Tile, Tone

_POSITIONS = 4
"""Feature vectors of an image whose label is a map."""


class Samples(NamedTuple):
    """Samples of one domain: the data set, opened with labels, and the indices of those that the report shows.

    `resize` is the size that networks see; `None` for each image's own.
    """

    domain: Domain
    dataset: Dataset
    indices: Sequence[int]
    resize: Size | None

    def spaced(self, count: int) -> "Samples":
        """`count` other samples, one from each of as many equal parts of the set."""
        return self._replace(indices=features.spaced_samples(self.dataset, count))

    def images(self) -> list[np.ndarray]:
        """The images at the size that networks see."""
        images = [self.dataset.decode_image(self.dataset.samples[index].image) for index in self.indices]
        return images if self.resize is None else [resize_image(image, self.resize) for image in images]

    def labelled(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Images and labels at their own size."""
        pairs = [self.dataset.read(index) for index in self.indices]
        return [(image, label) for image, label in pairs if label is not None]


def are_pictures(*domains: Samples) -> bool:
    """Whether images have 8 bits; points in a plane, for example, do not."""
    first = (samples.dataset.decode_image(samples.dataset.samples[samples.indices[0]].image) for samples in domains)
    return all(image.dtype == np.uint8 for image in first)


def label_maps(samples: Samples) -> bool:
    """Whether labels are maps of classes, and not one class for the whole image."""
    label = samples.dataset.samples[0].label
    return label is not None and samples.dataset.decode_label(label).ndim == 2


def scenes(target: Samples, before: Predictor, after: Predictor) -> list[Scene]:
    """Target images with their label maps, and what is predicted before and after adaptation."""
    pairs = zip(target.indices, target.labelled(), strict=True)
    return [
        Scene(target.dataset.samples[index].key, image, label, *(
            predictor.predict(image, label.shape) for predictor in (before, after)
        ))
        for index, (image, label) in pairs
    ]  # fmt: skip


def class_tiles(target: Samples, predictors: Mapping[str, Predictor]) -> list[Tile]:
    """Target images with their class and each prediction, right or wrong."""
    tiles = []
    for image, label in target.labelled():
        lines = [Line(_name(target.dataset.space, int(label)))]
        for title, predictor in predictors.items():
            predicted = int(predictor.predict(image, label.shape))
            tone: Tone = "good" if predicted == int(label) else "bad"
            lines.append(Line(f"{title.split()[0]}: {_name(target.dataset.space, predicted)}", tone))
        tiles.append(Tile(image, lines))
    return tiles


def translation_rows(domains: Sequence[Samples], translator: Translator) -> list[tuple[str, list[Tile]]]:
    """For each domain a row of images, one of them in the other domain's look, and one of reconstructions."""
    rows: list[tuple[str, list[Tile]]] = []
    for domain, images in ((samples.domain, samples.images()) for samples in domains):
        other: Domain = "target" if domain == "source" else "source"
        rows.append((domain, [Tile(image) for image in images]))
        for title, to in ((f"{domain} as {other}", other), ("reconstructed", domain)):
            if to in translator.domains:
                rows.append((title, [Tile(translator.translate([image], domain, to)[0]) for image in images]))
    return rows


def panel(title: str, predictor: Predictor, domains: Sequence[Samples], count: int, seed: int) -> Panel:
    """About `count` feature vectors of each domain, with their classes."""
    source, target = (
        features.image_features(
            replace(predictor, resize=samples.resize), samples.dataset, samples.indices, samples.domain,
            positions=_POSITIONS, seed=seed,
        )
        for samples in (each.spaced(max(count // _POSITIONS, 1) if label_maps(each) else count) for each in domains)
    )  # fmt: skip
    return Panel(title, *source, *target)


def _name(space: LabelSpace, index: int) -> str:
    return space.classes[index] if index < space.count else "ignored"
