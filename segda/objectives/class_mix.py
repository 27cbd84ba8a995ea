"""ClassMix: half of the classes of a labelled image, to be pasted onto another image."""

import torch
from torch import Tensor

from segda.losses.supervised import IGNORE_INDEX
from segda.objectives import draw


def class_mix_mask(label: Tensor, position: Tensor, seed: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Where each image keeps a random half of its classes, rounded up.

    Args:
        label: int64 `[B, H, W]`.
        position: int64 `[B]`, each sample's place in the data order; its classes depend on `seed` and it alone.
        seed: the run's seed.
        ignore_index: the label value that is never pasted.

    Returns:
        bool `[B, H, W]`, true where the pixel's class was drawn.

    Source: Olsson et al. 2021 (ClassMix); Tranheden et al. 2021 (DACS).
    """
    masks = []
    for image, place in zip(label, position.tolist(), strict=True):
        present = image.unique()
        present = present[present != ignore_index]
        order = torch.randperm(len(present), generator=draw.generator(seed, "class_mix", place)).to(present.device)
        masks.append(torch.isin(image, present[order[: (len(present) + 1) // 2]]))
    return torch.stack(masks)
