"""Which target crops look like which source crops, by the encoder of an earlier stage; found once for each stage."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from pipelines.definition.schema import AdaptingConfig, DataConfig, Inputs, Size
from pipelines.networks import load_networks
from segda.data import matched_crops
from segda.data.dataset import Dataset
from segda.data.matched_crops import Matches
from segda.data.order import Order
from segda.data.prefetch import in_order
from segda.data.resize import resize_image
from segda.engine import signals
from segda.engine.session import Session
from segda.evaluation.batching import as_input
from segda.files import write_whole
from segda.networks.networks import Networks
from segda.seeds import derive_seed
from segda.terminal.progress import ProgressLine

FILE_NAME = "matches.npy"
_DIVISOR = 32
"""Images are resized to multiples of this: the largest stride of any encoder."""


def load_describer(config: AdaptingConfig, inputs: Inputs, device: torch.device) -> Networks | None:
    """The encoder that describes crops; `None` where they are not matched."""
    if config.match is None:
        return None
    folder, manifest = inputs.folder(config.match.network), inputs.manifest(config.match.network)
    return load_networks(folder, manifest.config, ("encoder",), device)


def target_order(
    config: AdaptingConfig,
    sources: Sequence[Dataset],
    target: Dataset,
    describer: Networks,
    order: Order,
    folder: Path,
    session: Session,
) -> Matches:
    """The order of target samples that match those of the source, whose `order` is given.

    Process 0 looks at all images, and the others wait; the result stays in the stage's folder, so that a resumed stage
    has it.

    Raises:
        DataError: an image cannot be read.
        StoppedError: a signal asked to stop.
    """

    def found() -> np.ndarray:
        path = folder / FILE_NAME
        if not path.is_file():
            content = io.BytesIO()
            np.save(content, _table(config, sources, target, describer, folder, session))
            write_whole(path, content.getvalue())
        table: np.ndarray = np.load(path, allow_pickle=False)
        return table

    return Matches(session.on_main(found), order, config.crop, derive_seed(config.seed, "match"))


def _table(
    config: AdaptingConfig,
    sources: Sequence[Dataset],
    target: Dataset,
    describer: Networks,
    folder: Path,
    session: Session,
) -> np.ndarray:
    """See `Matches.table`."""
    assert config.match is not None
    total = sum(map(len, sources)) + len(target)
    workers = config.runtime.loading(1)
    with ProgressLine(folder.name, 0, total, "images matched", folder=folder) as line:
        done = 0

        def described(data: DataConfig, dataset: Dataset) -> Iterator[np.ndarray]:
            nonlocal done
            for crops in _descriptors(dataset, data.resize, config.crop, describer, session.device, workers):
                signals.raise_if_stopped("crops are matched anew")
                done += 1
                line.update(done)
                yield crops

        others = np.concatenate(list(described(config.target, target)))
        return np.concatenate([
            matched_crops.nearest(crops, others, config.match.neighbours)
            for data, dataset in zip(config.labelled, sources, strict=True)
            for crops in described(data, dataset)
        ])  # fmt: skip


@torch.inference_mode()
def _descriptors(
    dataset: Dataset, resize: Size | None, crop: Size | None, describer: Networks, device: torch.device, workers: int
) -> Iterator[np.ndarray]:
    """Of each image of a data set the descriptors of its crops, `[P, C]`."""

    def read(index: int) -> tuple[np.ndarray, Size]:
        image = dataset.decode_image(dataset.samples[index].image)
        height, width = resize or image.shape[:2]
        grown = -(-height // _DIVISOR) * _DIVISOR, -(-width // _DIVISOR) * _DIVISOR
        return resize_image(image, grown), (height, width)

    for image, size in in_order(read, range(len(dataset)), workers=workers, ahead=4 * max(workers, 1)):
        features = describer.encode(as_input(image).to(device), "source")[-1][0].float().cpu().numpy()
        yield matched_crops.descriptors(features, size, crop)
