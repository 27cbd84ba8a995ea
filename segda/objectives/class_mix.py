"""ClassMix: half of the classes of a labelled image, to be pasted onto another image."""

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import moved
from segda.losses.supervised import IGNORE_INDEX
from segda.random_streams import derive_seed


def class_mix_mask(
    label: Tensor, position: Tensor, seed: int, classes: int = IGNORE_INDEX, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Where each image keeps a random half of its classes, rounded up.

    Which classes an image has is known on its device alone. So that a GPU need not be waited for, the half is drawn
    beforehand for every number of classes that there may be.

    Args:
        label: int64 `[B, H, W]`, below `classes` or `ignore_index`.
        position: int64 `[B]` on the CPU, each sample's place in the data order; its classes depend on `seed` and it
            alone.
        seed: the run's seed.
        classes: how many there may be, at most 255.
        ignore_index: the label value that is never pasted.

    Returns:
        bool `[B, H, W]`, true where the pixel's class was drawn.

    Source: Olsson et al. 2021 (ClassMix); Tranheden et al. 2021 (DACS).
    """
    flat = label.flatten(1)
    found = torch.zeros(len(flat), 256, dtype=torch.bool, device=label.device).scatter_(1, flat, True)
    present = found[:, :classes]
    if ignore_index < classes:
        present[:, ignore_index] = False
    halves = torch.stack([_halves(classes, derive_seed(seed, f"class_mix/{place}")) for place in position.tolist()])
    count = present.sum(dim=1).view(-1, 1, 1).expand(-1, 1, classes)
    half = moved(halves, label.device).gather(1, count)[:, 0]
    chosen = present & half.gather(1, (present.cumsum(dim=1) - 1).clamp(min=0))
    return functional.pad(chosen, (0, 256 - classes)).gather(1, flat).view(label.shape)


def _halves(classes: int, seed: int) -> Tensor:
    """For each number of classes from 0 on (rows), whether the first, second, ... of them belongs to the half."""
    halves = torch.zeros(classes + 1, classes, dtype=torch.bool)
    generator = torch.Generator()
    for count in range(1, classes + 1):
        order = torch.randperm(count, generator=generator.manual_seed(seed))
        halves[count, order[: (count + 1) // 2]] = True
    return halves
