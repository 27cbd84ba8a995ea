"""How an export translates: by the networks of a finished stage, whole or in tiles, or by a method without training."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from pipelines.definition.schema import Inputs, Reference, Size, StageConfig
from pipelines.networks import load_networks
from pipelines.training.open_data import open_stage_data
from segda.config.lookup import module
from segda.data.transforms import resize_image
from segda.engine.session import Session
from segda.evaluation.evaluate import as_input
from segda.export import windows
from segda.random_streams import derive_seed

# Pictures of at most so many pixels (digits) go through a translator together and unpadded: networks for them are
# trained on whole images of one size. Larger ones go one by one, padded to a multiple of every encoder's stride.
SMALL = 64 * 64
TOGETHER = 256
DIVISOR = 32

Translate = Callable[[list[np.ndarray], Sequence[int]], list[np.ndarray]]
"""Images of one size and their places in the data set, to the same images in the target's look."""


class Tiling(NamedTuple):
    """How large images are cut: height and width of a tile, and the overlap of neighbours, in pixels."""

    tile: Size
    overlap: int


def by_networks(inputs: Inputs, translator: Reference, tiling: Tiling | None, device: torch.device) -> Translate:
    """Translate by the encoder and decoder that a stage published."""
    networks = load_networks(
        inputs.folder(translator), inputs.manifest(translator).config, ("encoder", "decoder"), device
    )
    return lambda images, places: translated_together(networks, images, device, tiling)


def by_transfer(config: StageConfig, inputs: Inputs, session: Session) -> Translate:
    """Translate by `config.method.transfer`, each image after a target image that is drawn for it."""
    transfer_of = getattr(config, "method").transfer  # noqa: B009
    transfer = module("segda.transfer", transfer_of.name).build(session.device, **transfer_of.options)
    target = open_stage_data(config, "target", inputs, with_labels=False, session=session)
    resize: Size | None = getattr(config, "target").resize  # noqa: B009

    def reference(place: int) -> np.ndarray:
        drawn = derive_seed(config.seed, "reference", place) % len(target)
        image = target.decode_image(target.samples[drawn].image)
        return image if resize is None else resize_image(image, resize)

    return lambda images, places: [
        transfer(image, reference(place)) for image, place in zip(images, places, strict=True)
    ]


@torch.inference_mode()
def translated_together(
    networks: Any, images: list[np.ndarray], device: torch.device, tiling: Tiling | None = None
) -> list[np.ndarray]:
    """Source images of one size in the target's look; uint8 RGB `[H, W, 3]` in and out, whatever the stride."""
    height, width = images[0].shape[:2]
    padding = (0, 0) if height * width <= SMALL else (-height % DIVISOR, -width % DIVISOR)
    padded = [cv2.copyMakeBorder(image, 0, padding[0], 0, padding[1], cv2.BORDER_REFLECT) for image in images]
    given = torch.cat([as_input(image) for image in padded])
    pixels = (answer(networks, given, device, tiling)[..., :height, :width].clamp(-1, 1) + 1) * 127.5
    return list(pixels.round().byte().permute(0, 2, 3, 1).cpu().numpy())


def answer(networks: Any, given: torch.Tensor, device: torch.device, tiling: Tiling | None) -> torch.Tensor:
    """Source images `[B, 3, H, W]` in `[-1, 1]`, padded to `DIVISOR`, in the target's look; whole or tile by tile."""

    def translate(piece: torch.Tensor) -> torch.Tensor:
        translated: torch.Tensor = networks.decode(networks.encode(piece.to(device), "source"), "target")
        return translated

    return translate(given) if tiling is None else windows.translate(given, translate, *tiling, DIVISOR)
