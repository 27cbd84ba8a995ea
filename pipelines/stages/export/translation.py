"""Translate images: by the networks of a finished stage, whole or in tiles, or by a method without training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from pipelines.definition.schema import Inputs, MethodConfig, Size
from pipelines.networks import load_networks, needed_networks
from pipelines.stages.export.config import DIVISOR, Config
from pipelines.training.open_data import open_stage_data
from segda.artefacts.manifest import Manifest
from segda.batch import DOMAINS, Domain
from segda.config.lookup import module
from segda.data.resize import resize_image, resize_label
from segda.engine.session import Session
from segda.evaluation.batching import as_input
from segda.evaluation.predict import Predictor
from segda.export import windows
from segda.networks.networks import Networks
from segda.seeds import derive_seed
from segda.transfer.colour_statistics import ColourStatistics

# Images of at most so many pixels (digits) go through a translator together and unpadded: networks for them are
# trained on whole images of one size. Larger ones go one by one, padded to a multiple of every encoder's stride.
SMALL = 64 * 64
TOGETHER = 256

Translate = Callable[[list[np.ndarray], list[np.ndarray], Sequence[int]], list[np.ndarray]]
"""Source images of one size, their labels and their indices in the data set to the images in the target's look."""


class Tiling(NamedTuple):
    """How large images are cut: height and width of a tile, and the overlap of neighbours, in pixels."""

    tile: Size
    overlap: int


@dataclass(frozen=True)
class Translator:
    """A finished encoder and decoder in evaluation mode on `device`.

    The decoder can decode to `domains`; large images are cut by `tiling`, `None` for whole images.
    """

    networks: Networks
    domains: tuple[Domain, ...]
    device: torch.device
    tiling: Tiling | None = None

    @torch.inference_mode()
    def translate(
        self, images: Sequence[np.ndarray], origin: Domain = "source", to: Domain = "target"
    ) -> list[np.ndarray]:
        """Images of one size and of domain `origin` in the look of `to`: uint8 RGB `[H, W, 3]` in and out."""
        height, width = images[0].shape[:2]
        padding = (0, 0) if height * width <= SMALL else (-height % DIVISOR, -width % DIVISOR)
        padded = [cv2.copyMakeBorder(image, 0, padding[0], 0, padding[1], cv2.BORDER_REFLECT) for image in images]
        decoded = self.decode(torch.cat([as_input(image) for image in padded]), origin, to)
        pixels = (decoded[..., :height, :width].clamp(-1, 1) + 1) * 127.5
        return list(pixels.round().byte().permute(0, 2, 3, 1).cpu().numpy())

    def decode(self, images: Tensor, origin: Domain, to: Domain) -> Tensor:
        """`[B, 3, H, W]` in `[-1, 1]`, sides divisible by `DIVISOR`, in the look of `to`; whole or tile by tile."""

        def translated(piece: Tensor) -> Tensor:
            return self.networks.decode(self.networks.encode(piece.to(self.device), origin), to)

        if self.tiling is None:
            return translated(images)
        return windows.translate(images, translated, *self.tiling, DIVISOR)


def load_translator(
    stage_folder: Path, manifest: Manifest, device: torch.device, tiling: Tiling | None = None
) -> Translator:
    """The encoder and decoder that a finished stage published.

    Raises:
        ArtefactError: a network is missing or does not fit.
    """
    networks = load_networks(stage_folder, manifest.config, ("encoder", "decoder"), device)
    needs = needed_networks(MethodConfig.model_validate(manifest.config["method"]))
    return Translator(networks, tuple(domain for domain in DOMAINS if f"decoder.{domain}" in needs), device, tiling)


def tiling_of(config: Config) -> Tiling | None:
    """How an export cuts large images; `None` for whole images."""
    return None if config.tile is None else Tiling(config.tile, config.overlap)


def by_transfer(config: Config, inputs: Inputs, session: Session, judge: Predictor | None) -> Translate:
    """Translate by the method's `transfer`, each image with a target image drawn for it as the reference.

    A transfer by class gets the image's label, and what the judge predicts on the reference.
    """
    assert config.method is not None and config.method.transfer is not None and config.target is not None  # noqa: PT018
    transfer_config, resize = config.method.transfer, config.target.resize
    transfer = module("segda.transfer", transfer_config.name).build(session.device, **transfer_config.options)
    target = open_stage_data(config, "target", inputs, with_labels=False, session=session)

    def translated(image: np.ndarray, label: np.ndarray, index: int) -> np.ndarray:
        drawn = derive_seed(config.seed, "reference", index) % len(target)
        reference = target.decode_image(target.samples[drawn].image)
        reference = reference if resize is None else resize_image(reference, resize)
        given = [image, reference]
        if isinstance(transfer, ColourStatistics) and transfer.by_class:
            assert judge is not None  # the config's check demands it
            size = (image.shape[0], image.shape[1])
            given += [resize_label(label, size), judge.predict(reference, domain="target")]
        changed: np.ndarray = transfer(*given)
        return changed

    return lambda images, labels, indices: [translated(*each) for each in zip(images, labels, indices, strict=True)]
