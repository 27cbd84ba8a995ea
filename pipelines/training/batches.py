"""From data sets to the batches that a stage trains on: opened, resized, augmented, on the device."""

from collections.abc import Generator, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.definition.schema import AdaptingConfig, DataConfig, Size, TrainingConfig
from segda.batch import Batch, Domain, DomainBatch
from segda.data import loader
from segda.data.augmentation.chosen_crop import ChosenCrop
from segda.data.augmentation.crop import TrainTransform
from segda.data.augmentation.photometry import Photometry
from segda.data.dataset import Dataset
from segda.data.matched_crops import Matches, PlacedCrop
from segda.data.order import Order
from segda.engine.session import Session
from segda.evaluation.batching import as_input
from segda.seeds import derive_seed


def micro_batches(
    config: TrainingConfig,
    sources: Sequence[Dataset],
    target: Dataset | None,
    order: Order,
    start: int,
    session: Session,
    matches: Matches | None = None,
) -> Generator[Batch, None, None]:
    """The micro-batches from step `start` on, augmented, on the device.

    `order` is that of the source samples; `matches` is that of the target's and says which crops are taken.
    """
    geometry = config.augment.model_dump(exclude={"photometry", "photometry_of"})

    def transform(data: DataConfig, domain: Domain) -> TrainTransform:
        seed = derive_seed(config.seed, domain, "geometry")
        return TrainTransform(resize=data.resize, crop=config.crop, seed=seed, **geometry)

    of_target: loader.Transform | None = None
    if target is not None and isinstance(config, AdaptingConfig):
        of_target = transform(config.target, "target")
        if matches is not None:
            of_target = PlacedCrop(of_target, matches.target_place)
    of_sources = [_chosen(transform(data, "source"), order, config, matches) for data in config.labelled]
    change = Photometry(**config.augment.photometry) if config.augment.photometry is not None else None

    def ready(batch: DomainBatch, domain: Domain) -> DomainBatch:
        if change is None or config.augment.photometry_of not in ("both", domain):
            return batch
        return batch._replace(image=change(batch.image, batch.position, derive_seed(config.seed, domain, "photometry")))

    stream = loader.batches(
        sources,
        target,
        transforms=(of_sources, of_target),
        batch=config.batch,
        seed=config.seed,
        order=order,
        target_order=matches,
        # Every update of the discriminators takes a batch of its own.
        start=start * config.discriminator_steps,
        rank=session.rank,
        world=session.world,
        accumulate=config.accumulate,
        paired=getattr(config, "paired", False),
        workers=config.runtime.loading(session.world),
        device=session.device,
    )
    for batch in stream:
        target_batch = None if batch.target is None else ready(batch.target, "target")
        yield Batch(ready(batch.source, "source"), target_batch)


def _chosen(
    transform: TrainTransform, order: Order, config: TrainingConfig, matches: Matches | None
) -> loader.Transform:
    """The transform of a source, which chooses among crops if the config says so."""
    if matches is not None:
        return PlacedCrop(transform, matches.source_place)
    rare, largest = config.sampling.rare_classes, config.sampling.largest_class
    if config.crop is None or (rare is None and largest is None):
        return transform
    share = 0.0 if rare is None else rare.crop_share
    return ChosenCrop(transform, order, share, 1.0 if largest is None else largest, config.sampling.tries)


def target_images(
    target: Dataset, resize: Size | None, batch: int, count: int, device: torch.device
) -> Iterator[Tensor]:
    """Batches of whole target images, resized as in training but not augmented, spread evenly over the set."""
    count = min(count, len(target))
    spread = [index * len(target) // count for index in range(count)]
    for start in range(0, count, batch):
        files = [target.samples[index].image for index in spread[start : start + batch]]
        images = [as_input(target.decode_image(file), resize) for file in files]
        sides = [max(image.shape[axis] for image in images) for axis in (-2, -1)]
        height, width = (-(-side // 32) * 32 for side in sides)  # a multiple of every encoder's stride
        grown = [functional.interpolate(image, (height, width), mode="bilinear") for image in images]
        yield torch.cat(grown).to(device)
