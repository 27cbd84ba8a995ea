"""Endless training batches whose order is a pure function of seed, position and rank.

A position is a sample's index in the endless data order (`segda.data.order`). Step `k` of a global batch of `B` holds
the positions `[k * B, (k + 1) * B)`, cut into `accumulate * world` equal chunks; chunk `m * world + r` is micro-batch
`m` of rank `r`. So neither restarts, nor processes, nor workers change which samples a step sees.
"""

import os
import signal
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from segda.batch import Batch, DomainBatch
from segda.data.dataset import Dataset
from segda.data.order import Order, Shuffled
from segda.errors import ConfigError, DataError, SegdaError
from segda.seeds import derive_seed

_CPU = torch.device("cpu")

#: `(image [H, W, 3], label uint8 [H, W] or [] | None, position) -> (image, label)`; must not draw anything else.
Transform = Callable[[np.ndarray, np.ndarray | None, int], tuple[np.ndarray, np.ndarray | None]]


def to_tensor(image: np.ndarray) -> Tensor:
    """uint8 RGB `[H, W, 3]` to float32 `[3, H, W]` in `[-1, 1]`; float32 `[H, W, 3]` is in that range already."""
    return in_range(_stack([image]))[0]


def positions(batch: int, start: int, rank: int, world: int, accumulate: int) -> Iterator[list[int]]:
    """The positions of one rank's micro-batches, for ever, from step `start` on; arguments as in `batches`."""
    chunk = batch // (world * accumulate)
    for step in count(start):
        for micro in range(accumulate):
            first = step * batch + (micro * world + rank) * chunk
            yield list(range(first, first + chunk))


def batches(
    source: Dataset | Sequence[Dataset],
    target: Dataset | None,
    *,
    transforms: tuple[Transform | Sequence[Transform], Transform | None],
    batch: int,
    seed: int,
    order: Order | None = None,
    target_order: Order | None = None,
    start: int = 0,
    rank: int = 0,
    world: int = 1,
    accumulate: int = 1,
    workers: int = 0,
    paired: bool = False,
    device: torch.device | None = None,
) -> Iterator[Batch]:
    """Micro-batches of this rank from step `start` on, for ever. The global random state is not touched.

    Args:
        source: the labelled data set, or several, one after the other; `label` is `None` where it was opened without
            labels.
        target: the other domain, read without labels whatever it holds; `None` for plain supervised training.
        transforms: geometry for source (one for each of several data sets) and target; each brings all images of its
            domain to one size.
        batch: samples a step and domain, over all ranks and micro-batches.
        seed: the run's seed; source and target shuffle differently.
        order: of the source; `None` shuffles all of its samples anew in each epoch.
        target_order: of the target; `None` shuffles it in each epoch.
        start: the step to begin with.
        rank: this process's number among `world`.
        world: number of processes.
        accumulate: micro-batches a step.
        workers: loader processes; 0 decodes in this one. The tensors are the same for any number.
        paired: target sample `i` is the counterpart of source sample `i`: the target follows the source's order, and
            the source's transform is applied to both. Otherwise the two are drawn independently.
        device: of the tensors, the CPU if `None`; a GPU copies bytes while it computes, and converts them.

    Returns:
        An iterator of batches of `batch / (world * accumulate)` samples a domain.

    Raises:
        ConfigError: `batch` cannot be split evenly, the target has no transform, or there is no target to pair with.
        DataError: a data set is empty, or the keys of a pair of sets differ; and from the iterator, also where a worker
            reads: a broken file, an unknown id, images of different sizes.
    """
    if batch < 1 or batch % (world * accumulate):
        raise ConfigError(
            f"batch: {batch} samples cannot be split evenly over {world} processes x {accumulate} micro-batches; "
            f"choose a multiple of {world * accumulate}"
        )
    if paired and target is None:
        raise ConfigError("paired: there is no target to pair the source with; give `target`, or leave `paired` out")
    if target is not None and transforms[1] is None and not paired:
        raise ConfigError("target data needs its own transform; give transforms=(source, target)")
    sources = [source] if isinstance(source, Dataset) else list(source)
    if paired and len(sources) > 1:
        raise ConfigError(f"paired: {len(sources)} sources, expected one that the target is paired with")
    for data in (*sources, target):
        if data is not None and not len(data):
            raise DataError(f"{data.root}: data set {data.name!r} holds no sample to train on")
    of_source = transforms[0] if isinstance(transforms[0], Sequence) else [transforms[0]]
    if order is None:
        order = Shuffled(derive_seed(seed, "source"), sum(map(len, sources)))
    streams = [_Stream(sources, of_source, order, labels=True)]
    if target is not None and paired:
        check_pairs(sources[0], target)
        streams.append(_Stream([target], of_source, order, labels=False))
    elif target is not None and transforms[1] is not None:
        if target_order is None:
            target_order = Shuffled(derive_seed(seed, "target"), len(target))
        streams.append(_Stream([target], [transforms[1]], target_order, labels=False))
    micro_batches = positions(batch, start, rank, world, accumulate)
    return _iterate(_Samples(streams, paired), micro_batches, workers, device or _CPU)


def check_pairs(source: Dataset, target: Dataset) -> None:
    """Refuse two sets whose samples are not pairs.

    Raises:
        DataError: their keys differ.
    """
    keys, others = ([sample.key for sample in data.samples] for data in (source, target))
    if keys != others:
        unpaired = sorted(set(keys) ^ set(others))
        raise DataError(
            f"{target.root}: {len(others)} samples do not pair with the {len(keys)} of {source.root}: {len(unpaired)} "
            f"names have no counterpart, {unpaired[0]!r} first; pairs are files of one name in both sets"
        )


def _iterate(
    samples: "_Samples", micro_batches: Iterator[list[int]], workers: int, device: torch.device
) -> Iterator[Batch]:
    loader: DataLoader[Any] = DataLoader(
        samples,  # type: ignore[arg-type]  # needs no length: the sampler has no end
        batch_sampler=micro_batches,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
        worker_init_fn=_start_worker if workers else None,
        # Otherwise the iterator draws its base seed from the global generator.
        generator=torch.Generator().manual_seed(0),
    )
    try:
        for item in loader:
            if isinstance(item, SegdaError):
                raise item
            yield Batch(_ready(item.source, device), None if item.target is None else _ready(item.target, device))
    except (EOFError, OSError):
        # Images of a process that was killed cannot be fetched; that it was, torch may learn a moment later, by a
        # signal whose handler raises.
        if workers:
            time.sleep(1)
        raise


def _ready(domain: DomainBatch, device: torch.device) -> DomainBatch:
    """A worker's batch on the device, in the types and the range of a `DomainBatch`."""
    label = None if domain.label is None else domain.label.to(device, non_blocking=True).long()
    return domain._replace(image=in_range(domain.image.to(device, non_blocking=True)), label=label)


_Ready = tuple[np.ndarray, np.ndarray | None, int, str]


class _Decoded(NamedTuple):
    image: np.ndarray
    label: np.ndarray | None
    key: str
    transform: Transform


@dataclass
class _Stream:
    """One domain's endless order, over data sets that are counted one after the other."""

    sets: Sequence[Dataset]
    transforms: Sequence[Transform]
    order: Order
    labels: bool

    def __post_init__(self) -> None:
        self._ends: list[int] = np.cumsum([len(data) for data in self.sets]).tolist()

    def decode(self, position: int) -> _Decoded:
        index = self.order(position).sample
        chosen = bisect_right(self._ends, index)
        data, index = self.sets[chosen], index - self._ends[chosen] + len(self.sets[chosen])
        sample = data.samples[index]
        image, label = data.read(index) if self.labels else (data.decode_image(sample.image), None)
        return _Decoded(image, label, sample.key, self.transforms[chosen])


@dataclass
class _Samples:
    """Map-style data set over positions: one sample of each domain."""

    streams: list[_Stream]
    paired: bool

    def __getitem__(self, position: int) -> list[_Ready] | SegdaError:
        try:
            decoded = [stream.decode(position) for stream in self.streams]
            if self.paired and decoded[0].image.shape != decoded[1].image.shape:
                # The random geometry depends on the size: a pair of two sizes would no longer match.
                first, second = ("x".join(str(side) for side in each.image.shape[:2]) for each in decoded)
                raise DataError(
                    f"{self.streams[1].sets[0].root}: {decoded[1].key} is {second} (height x width) but its "
                    f"counterpart is {first}; pairs need one size"
                )
            ready: list[_Ready] = [
                (*each.transform(each.image, each.label, position), position, each.key) for each in decoded
            ]
        except SegdaError as error:
            # Returned, not raised: torch would wrap it in the worker's traceback.
            return error
        return ready


def _collate(samples: list[Any]) -> Batch | SegdaError:
    for sample in samples:
        if isinstance(sample, SegdaError):
            return sample
    domains = []
    for stream in zip(*samples, strict=True):
        images, labels, drawn, keys = zip(*stream, strict=True)
        sizes = {tuple(image.shape[:2]) for image in images}
        if len(sizes) > 1:
            return DataError(
                f"images of different sizes in one batch: {', '.join(keys[:4])} are {sorted(sizes)[:4]} "
                "(height, width); set `crop` or `resize`"
            )
        # Workers send bytes: floats and int64 would be five times as many.
        label = None if labels[0] is None else torch.from_numpy(np.stack(labels))
        domains.append(DomainBatch(_stack(images), label, torch.tensor(drawn), list(keys)))
    return Batch(domains[0], domains[1] if len(domains) > 1 else None)


def _stack(images: Sequence[np.ndarray]) -> Tensor:
    """Images `[H, W, 3]` of one size and type as one tensor `[B, 3, H, W]` of that type."""
    pixels = np.empty((len(images), 3, *images[0].shape[:2]), dtype=images[0].dtype)
    for planes, image in zip(pixels, images, strict=True):
        cv2.split(image, list(planes))  # many times faster than a transposed copy
    return torch.from_numpy(pixels)


def in_range(pixels: Tensor) -> Tensor:
    """uint8 to float32 in `[-1, 1]`; floats are in that range already."""
    if pixels.is_floating_point():
        return pixels
    # A GPU multiplies by the inverse of a Python number, which rounds differently from a CPU's division.
    half = 127.5 if pixels.device.type == "cpu" else torch.full((), 127.5, device=pixels.device)
    return pixels.float().div_(half).sub_(1)


def _start_worker(_: int) -> None:
    torch.set_flush_denormal(True)
    # OpenCV's threads would compete with the other workers for the same cores.
    cv2.setNumThreads(0)
    if sys.platform == "win32":  # which sends no signals
        return
    # Schedulers send SIGTERM or SIGUSR1 to all processes of a job. The training process needs batches to finish its
    # step, and ends its workers itself; an orphan ends after a minute.
    for request in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(request, lambda number, frame: signal.alarm(60))
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(0))
