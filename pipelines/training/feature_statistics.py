"""Mean and covariance of an encoder's features over a whole data set."""

from pathlib import Path
from typing import Any

import torch

from pipelines.definition.schema import Size
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.engine import signals
from segda.engine.session import Session
from segda.errors import DataError
from segda.evaluation.batching import as_input, batched
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
    folder: Path,
) -> FeatureStatistics:
    """Mean and covariance of z over a whole data set, every position of z a sample; images are not augmented.

    The networks are in evaluation mode. Each process takes its share of the images, at most `batch` of one size at a
    time.

    Raises:
        DataError: fewer than two samples.
    """
    encoder: Any = networks.modules["encoder"]
    channels = int(encoder.channels[-1])
    count = 0
    total = torch.zeros(channels, dtype=torch.float64, device=session.device)
    products = torch.zeros(channels, channels, dtype=torch.float64, device=session.device)
    share = range(session.rank, len(dataset), session.world)
    with ProgressLine(f"{folder.name} {domain}", 0, len(share), "images", show=session.is_main, folder=folder) as line:
        done = 0
        images = (as_input(dataset.decode_image(dataset.samples[index].image), resize) for index in share)
        for group in batched(images, lambda image: image.shape, batch):
            z = networks.encode(torch.cat(group).to(session.device), domain)[-1].double()
            vectors = z.movedim(1, -1).flatten(0, -2)
            count += len(vectors)
            total += vectors.sum(0)
            products += vectors.T @ vectors
            done += len(group)
            line.update(done)
            signals.raise_if_stopped("the statistics of both domains are kept when they are complete")
    number = float(session.sum(torch.tensor([count], dtype=torch.float64, device=session.device)))
    if number < 2:
        raise DataError(f"{dataset.root}: one sample has no covariance; give CORAL at least two")
    total, products = session.sum(total), session.sum(products)
    mean = total / number
    return FeatureStatistics(mean, (products - number * torch.outer(mean, mean)) / (number - 1))
