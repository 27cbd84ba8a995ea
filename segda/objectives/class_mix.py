"""ClassMix: half of the classes of a labelled image, pasted onto another image."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import moved
from segda.losses.supervised import IGNORE_INDEX
from segda.seeds import derive_seed


def class_mix_mask(
    label: Tensor, position: Tensor, seed: int, classes: int = IGNORE_INDEX,
    gather: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:  # fmt: skip
    """Mask of a random half of each image's classes, or of the batch's where `gather` is given, rounded up.

    The labels are on the device. So that the CPU need not wait for a GPU, the half is drawn in advance for every
    possible number of classes. It depends on `seed` and each sample's position in the data order, int64 `[B]` on the
    CPU. Labels are int64 `[B, H, W]`, below `classes`, of which there are at most 255, or 255, never pasted.
    `gather` concatenates the processes' rows.

    Returns:
        bool `[B, H, W]`, true where the pixel's class was drawn.

    Source: Olsson et al. 2021 (ClassMix); Tranheden et al. 2021 (DACS).
    """
    flat = label.flatten(1)
    values = torch.zeros(len(flat), 256, dtype=torch.bool, device=label.device).scatter_(1, flat, True)
    present = values[:, :classes]
    if gather is not None:
        present = gather(present.byte()).bool().any(dim=0).expand_as(present)
    halves = torch.stack([_halves(classes, derive_seed(seed, f"class_mix/{index}")) for index in position.tolist()])
    count = present.sum(dim=1).view(-1, 1, 1).expand(-1, 1, classes)
    half = moved(halves, label.device).gather(1, count)[:, 0]
    chosen = present & half.gather(1, (present.cumsum(dim=1) - 1).clamp(min=0))
    return functional.pad(chosen, (0, 256 - classes)).gather(1, flat).view(label.shape)


def _halves(classes: int, seed: int) -> Tensor:
    """For 0, 1, 2, ... classes (rows), whether the first, second, ... of them belongs to the half."""
    halves = torch.zeros(classes + 1, classes, dtype=torch.bool)
    generator = torch.Generator()
    for count in range(1, classes + 1):
        order = torch.randperm(count, generator=generator.manual_seed(seed))
        halves[count, order[: (count + 1) // 2]] = True
    return halves
