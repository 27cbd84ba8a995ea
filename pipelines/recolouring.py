"""What a stage of kind coral does: statistics of both domains, the transform between them, the head trained on it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from pipelines import batches, training
from pipelines.coral import PUBLISHED, Config
from pipelines.stage import Inputs, Size
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.engine import interruption
from segda.engine.evaluate import as_input
from segda.engine.live_line import LiveLine
from segda.engine.session import Session
from segda.errors import DataError
from segda.files import write_whole
from segda.networks.networks import Networks


class Statistics(NamedTuple):
    """Mean `[C]` and covariance `[C, C]` of a domain's z, float64."""

    mean: Tensor
    covariance: Tensor


class Recolouring(NamedTuple):
    """`(z - mean) @ matrix + shift` for every place of z; float32 `[C]`, `[C, C]`, `[C]`."""

    mean: Tensor
    matrix: Tensor
    shift: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """Recolour `[B, C, h, w]`."""
        places = z.movedim(1, -1)
        return ((places - self.mean) @ self.matrix + self.shift).movedim(-1, 1).to(z.dtype)


class RecolouredNetworks(Networks):
    """The same networks, whose encoder's answer to source images is recoloured."""

    def __init__(self, networks: Networks, recolouring: Recolouring) -> None:
        """Take over `networks`, frozen as they are."""
        super().__init__(networks.modules, networks.tied)
        self.frozen = networks.frozen
        self.recolouring = recolouring

    def encode(self, image: Tensor, domain: Domain) -> list[Tensor]:
        """As `Networks.encode`; z of the source is recoloured."""
        features = super().encode(image, domain)
        return [*features[:-1], self.recolouring(features[-1])] if domain == "source" else features


def train(config: Config, inputs: Inputs, folder: Path, session: Session) -> dict[str, Any]:
    """Measure both domains, train the head and publish `encoder` (as it was) and `head`."""
    source = batches.open_data(config, "source", inputs, with_labels=True, session=session)
    target = batches.open_data(config, "target", inputs, with_labels=False, session=session)
    resizes: dict[Domain, Size | None] = {"source": config.source.resize, "target": config.target.resize}
    sets: dict[Domain, Dataset] = {"source": source, "target": target}

    def recoloured(networks: Networks) -> Networks:
        file = folder / "statistics.safetensors"
        if not session.on_main(file.is_file):
            # Kept: a run of another number of processes would round otherwise, and so not go on exactly.
            measured = {
                f"{domain}.{name}": value.cpu()
                for domain, dataset in sets.items()
                for name, value in measure(
                    networks, dataset, domain, resizes[domain], config.batch, session, folder.name
                )
                ._asdict()
                .items()
            }
            if session.is_main:
                write_whole(file, safetensors.torch.save(measured))
            session.barrier()

        def look(decided: Any) -> tuple[dict[str, Tensor], str]:
            content = file.read_bytes()
            return safetensors.torch.load(content), f"checksum {hashlib.sha256(content).hexdigest()[:8]}"

        known = session.alike(str(file), look)
        found = [Statistics(known[f"{domain}.mean"], known[f"{domain}.covariance"]) for domain in sets]
        recolouring = between(*found, regularisation=config.regularisation)
        return RecolouredNetworks(networks, Recolouring(*(part.float().to(session.device) for part in recolouring)))

    return training.train(
        config,
        config.method,
        source=source,
        target=None,
        resizes=resizes,
        init=inputs.folder(config.init) / "networks",
        published=PUBLISHED,
        folder=folder,
        session=session,
        prepare=recoloured,
    )


def between(source: Statistics, target: Statistics, *, regularisation: float) -> Recolouring:
    """The transform from the source's statistics to the target's, float64.

    `A = (C_S + r I)^(-1/2) (C_T + r I)^(1/2)`, so that `A' (C_S + r I) A = C_T + r I`.

    Source: Sun, Feng and Saenko, AAAI 2016, algorithm 1; means are moved along, where the paper standardises before.
    """
    added = regularisation * torch.eye(len(source.mean), dtype=torch.float64)
    whitening = power(source.covariance + added, -0.5)
    return Recolouring(source.mean, whitening @ power(target.covariance + added, 0.5), target.mean)


def power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric, positive definite `[C, C]`: of its eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T


@torch.inference_mode()
def measure(
    networks: Networks,
    dataset: Dataset,
    domain: Domain,
    resize: Size | None,
    batch: int,
    session: Session,
    title: str,
) -> Statistics:
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
    with LiveLine(f"{title} {domain}", 0, len(share), "images", show=session.is_main) as line:
        done = 0
        for images in together(dataset, share, resize, batch):
            z = networks.encode(images.to(session.device), domain)[-1].double()
            places = z.movedim(1, -1).flatten(0, -2)
            count += len(places)
            total += places.sum(0)
            products += places.T @ places
            done += len(images)
            line.update(done)
            interruption.heed("the statistics of both domains are kept when they are complete")
    counted = session.sum(torch.tensor([count], dtype=torch.float64, device=session.device))
    number = float(counted)
    if number < 2:
        raise DataError(f"{dataset.root}: one sample has no covariance; give CORAL at least two")
    total, products = session.sum(total), session.sum(products)
    mean = total / number
    return Statistics(mean, (products - number * torch.outer(mean, mean)) / (number - 1))


def together(dataset: Dataset, share: range, resize: Size | None, batch: int) -> Iterator[Tensor]:
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
