"""Distance of two maps of features, where a map of labels asks for it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def cells_of(label: Tensor, classes: Sequence[int], size: tuple[int, int], share: float) -> Tensor:
    """The positions of a map of features that belong to one of some classes.

    Args:
        label: int64 `[B, H, W]` of class indices.
        classes: indices of the classes.
        size: height and width of the map of features.
        share: of a position's pixels that one of the classes must have, above 0 and at most 1.

    Returns:
        Bool `[B, *size]`.

    Example:
        >>> label = torch.tensor([[[1, 1, 1, 0], [1, 2, 2, 2]]])
        >>> cells_of(label, [1], (1, 2), 0.75).tolist()
        [[[True, False]]]

    Source: Hoyer et al. 2022 (DAFormer), the mask of the feature distance.
    """
    masks = torch.stack([label == index for index in classes], dim=1).float()
    return functional.adaptive_avg_pool2d(masks, size).amax(dim=1) >= share


def feature_distance(features: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Mean over images of each image's mean Euclidean distance over the positions of its mask.

    Averaging within images first makes the loss independent of how a batch is split over processes. The loss of an
    image whose mask is empty is 0.

    Args:
        features: `[B, C, h, w]`.
        reference: the same shape.
        mask: bool `[B, h, w]`.

    Example:
        >>> features, mask = torch.full((2, 4, 1, 2), 0.5), torch.tensor([[[True, False]], [[False, False]]])
        >>> feature_distance(features, torch.zeros(2, 4, 1, 2), mask).item()  # (sqrt(4 / 4) + 0) / 2
        0.5

    Source: Hoyer et al. 2022 (DAFormer), where the mean is over the positions of the batch.
    """
    distance = torch.linalg.vector_norm(features - reference, dim=1)
    inside = mask.to(distance)
    return ((distance * inside).flatten(1).sum(dim=1) / inside.flatten(1).sum(dim=1).clamp(min=1)).mean()
