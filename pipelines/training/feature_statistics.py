"""Mean and covariance of an encoder's features over a whole data set."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pipelines.definition.schema import Size
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.engine import signals
from segda.engine.session import Session
from segda.errors import DataError
from segda.evaluation.evaluate import as_input
from segda.networks.coral_transform import FeatureStatistics
from segda.networks.networks import Networks
from segda.terminal.progress import ProgressLine


@torch.inference_mode()
def feature_statistics(
    networks: Networks,
    dataset: Dataset,
    domain: Domain,
    resize: Size | None,
    batch: int,
    session: Session,
    title: str,
) -> FeatureStatistics:
    """Mean and covariance of z over a whole data set, every place of z a sample; images are not augmented.

    Args:
        networks: whose encoder is measured, in evaluation mode.
        dataset: each process takes its share.
        domain: whose encoder sees the images.
        resize: what images are resized to.
        batch: how many images of one size the encoder is given together.
        session: the processes.
        title: head of the live line.

    Raises:
        DataError: fewer than two samples.
    """
    encoder: Any = networks.modules["encoder"]
    channels = int(encoder.channels[-1])
    count = 0
    total = torch.zeros(channels, dtype=torch.float64, device=session.device)
    products = torch.zeros(channels, channels, dtype=torch.float64, device=session.device)
    share = range(session.rank, len(dataset), session.world)
    with ProgressLine(f"{title} {domain}", 0, len(share), "images", show=session.is_main) as line:
        done = 0
        for images in image_batches(dataset, share, resize, batch):
            z = networks.encode(images.to(session.device), domain)[-1].double()
            places = z.movedim(1, -1).flatten(0, -2)
            count += len(places)
            total += places.sum(0)
            products += places.T @ places
            done += len(images)
            line.update(done)
            signals.raise_if_stopped("the statistics of both domains are kept when they are complete")
    counted = session.sum(torch.tensor([count], dtype=torch.float64, device=session.device))
    number = float(counted)
    if number < 2:
        raise DataError(f"{dataset.root}: one sample has no covariance; give CORAL at least two")
    total, products = session.sum(total), session.sum(products)
    mean = total / number
    return FeatureStatistics(mean, (products - number * torch.outer(mean, mean)) / (number - 1))


def image_batches(dataset: Dataset, share: range, resize: Size | None, batch: int) -> Iterator[Tensor]:
    """Images `[B, 3, H, W]` in `[-1, 1]`, up to `batch` neighbours of one size together."""
    group: list[Tensor] = []
    for index in share:
        image = as_input(dataset.decode_image(dataset.samples[index].image), resize)
        if group and (len(group) == batch or image.shape != group[0].shape):
            yield torch.cat(group)
            group = []
        group.append(image)
    if group:
        yield torch.cat(group)
