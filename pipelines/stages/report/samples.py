"""What networks make of single images, for people to look at: predictions, translations, reconstructions, features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from pipelines.definition.schema import ComponentConfig, MethodConfig, Size
from pipelines.networks import build_task, load_networks, needed_networks
from pipelines.scoring import features
from segda.artefacts.manifest import Manifest
from segda.batch import DOMAINS, Domain
from segda.data.dataset import Dataset
from segda.data.transforms import resize_image
from segda.evaluation.evaluate import as_input
from segda.label_space import LabelSpace
from segda.networks.networks import Networks
from segda.report.embedding import Panel
from segda.report.pictures import Picture, PictureRow
from segda.report.thumbnails import Line, Tile, Tone


class ShownSamples(NamedTuple):
    """Samples of one domain.

    Attributes:
        domain: which one.
        dataset: opened with labels.
        places: which of its samples are shown.
        resize: the size that networks see; `None` for each image's own.
    """

    domain: Domain
    dataset: Dataset
    places: Sequence[int]
    resize: Size | None

    def more(self, count: int) -> "ShownSamples":
        """As many samples as `count`, one from each of as many equal parts of the set."""
        return self._replace(places=features.spaced_samples(self.dataset, count))

    def images(self) -> list[np.ndarray]:
        """The images at the size that networks see."""
        images = [self.dataset.decode_image(self.dataset.samples[place].image) for place in self.places]
        return images if self.resize is None else [resize_image(image, self.resize) for image in images]


class Predictor:
    """The finished networks of a stage, and the task that asks them for classes."""

    def __init__(self, folder: Path, manifest: Manifest, device: torch.device) -> None:
        """Load encoder and head."""
        self.networks = load_networks(folder, manifest.config, ("encoder", "head"), device)
        self.task = build_task(ComponentConfig(**manifest.config["task"]))
        self.device = device

    @torch.inference_mode()
    def __call__(
        self, image: np.ndarray, resize: Size | None, size: tuple[int, ...], domain: Domain = "target"
    ) -> np.ndarray:
        """Class indices of one image of a domain, uint8 of the label's `size`."""
        classes = self.task.predict(self.networks, as_input(image, resize).to(self.device), size, domain)[0]
        predicted: np.ndarray = classes.byte().cpu().numpy()
        return predicted


class Translator:
    """The finished encoder and decoder of a stage.

    Attributes:
        domains: those that the decoder has a tail for.
    """

    def __init__(self, folder: Path, manifest: Manifest, device: torch.device) -> None:
        """Load the networks."""
        needs = needed_networks(MethodConfig.model_validate(manifest.config["method"]))
        latent = ("posterior",) if (folder / "networks" / "posterior.safetensors").is_file() else ()
        self.networks: Networks = load_networks(folder, manifest.config, ("encoder", "decoder", *latent), device)
        self.domains = tuple(domain for domain in DOMAINS if f"decoder.{domain}" in needs)
        self.device = device
        encoders = [module for name, module in self.networks.modules.items() if name.startswith("encoder")]
        self._stride = max(int(encoder.strides[-1]) for encoder in encoders)  # type: ignore[index]

    @torch.inference_mode()
    def __call__(self, image: np.ndarray, origin: Domain, to: Domain) -> np.ndarray:
        """An image of domain `origin` in the look of `to`; uint8 RGB `[H, W, 3]` in and out."""
        height, width = image.shape[:2]
        bottom, right = -height % self._stride, -width % self._stride
        mode = "reflect" if bottom < height and right < width else "replicate"
        padded = functional.pad(as_input(image), (0, right, 0, bottom), mode=mode).to(self.device)
        encoded = self.networks.encode(padded, origin)
        if "posterior" in self.networks.modules:
            encoded = [*encoded[:-1], self.networks.posterior(encoded[-1])[0]]
        answer = self.networks.decode(encoded, to)[0, :, :height, :width]
        pixels: np.ndarray = ((answer.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        return pixels


def are_pictures(*shown: ShownSamples) -> bool:
    """Whether all samples are pictures of 8 bits, which points in a plane, say, are not."""
    first = (part.dataset.decode_image(part.dataset.samples[part.places[0]].image) for part in shown)
    return all(image.dtype == np.uint8 for image in first)


def label_maps(shown: ShownSamples) -> bool:
    """Whether labels are maps of classes, and not one class for the whole image."""
    labels = [sample.label for sample in shown.dataset.samples[:1] if sample.label is not None]
    return bool(labels) and shown.dataset.decode_label(labels[0]).ndim == 2


def map_rows(
    source: ShownSamples, target: ShownSamples, translator: Translator | None, predictors: Mapping[str, Predictor]
) -> list[PictureRow]:
    """Source image, translated and back; target image and label map; predictions and their errors: a row a sample."""
    rows = []
    for near, far, image in zip(source.places, target.places, source.images(), strict=False):
        pictures = [Picture("source", image)]
        if translator is not None and "target" in translator.domains:
            translated = translator(image, "source", "target")
            pictures.append(Picture("translated", translated))
            if "source" in translator.domains:
                pictures.append(Picture("cycled", translator(translated, "target", "source")))
        photograph, label = target.dataset.read(far)
        assert label is not None  # the caller saw to it
        pictures += [Picture("target", photograph), Picture("label", label)]
        for title, ask in predictors.items():
            predicted = ask(photograph, target.resize, label.shape)
            pictures += [Picture(title, predicted), Picture(f"errors {title}", predicted, label)]
        names = source.dataset.samples[near].key, target.dataset.samples[far].key
        rows.append(PictureRow(" / ".join(names), pictures))
    return rows


def class_tiles(target: ShownSamples, predictors: Mapping[str, Predictor]) -> list[Tile]:
    """Target images with their class and what each predictor says, right or wrong."""
    tiles = []
    for place in target.places:
        image, label = target.dataset.read(place)
        assert label is not None  # the caller saw to it
        lines = [Line(_name(target.dataset.space, int(label)))]
        for title, ask in predictors.items():
            found = int(ask(image, target.resize, label.shape))
            tone: Tone = "good" if found == int(label) else "bad"
            lines.append(Line(f"{title.split()[0]}: {_name(target.dataset.space, found)}", tone))
        tiles.append(Tile(image, lines))
    return tiles


def translation_rows(shown: Sequence[ShownSamples], translator: Translator) -> list[tuple[str, list[Tile]]]:
    """For each domain a row of images, one of them in the other domain's look, one of them decoded as they were."""
    rows: list[tuple[str, list[Tile]]] = []
    for domain, images in ((s.domain, s.images()) for s in shown):
        other: Domain = "target" if domain == "source" else "source"
        rows.append((domain, [Tile(image) for image in images]))
        for title, to in ((f"{domain} as {other}", other), ("reconstructed", domain)):
            if to in translator.domains:
                rows.append((title, [Tile(translator(image, domain, to)) for image in images]))
    return rows


def panel(title: str, predictor: Predictor, source: ShownSamples, target: ShownSamples, count: int, seed: int) -> Panel:
    """About `count` vectors of either domain, with their classes."""
    places = 4
    found = []
    for shown in (source, target):
        wanted = shown.more(max(count // places, 1) if label_maps(shown) else count)
        found.append(features.labelled_features(
            predictor.networks, wanted.dataset, wanted.places, domain=wanted.domain, resize=wanted.resize,
            device=predictor.device, places=places, seed=seed,
        ))  # fmt: skip
    return Panel(title, *found[0], *found[1])


def _name(space: LabelSpace, index: int) -> str:
    return space.classes[index] if index < space.count else "ignored"
