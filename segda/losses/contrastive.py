"""Contrast between the places of an image: a place's features are told from those of all others."""

import torch
from torch import Tensor
from torch.nn import functional


def patch_contrast(query: Tensor, key: Tensor, temperature: float) -> Tensor:
    """Cross entropy of finding, for each of an image's queries, the key of the same place among all its keys.

    Equation: mean over images and places `i` of `-log(exp(q_i k_i / t) / sum_j exp(q_i k_j / t))`.
    Source: Park et al. 2020 (CUT), equations 3 and 4; negatives are of the same image alone.

    Args:
        query: unit vectors `[B, N, D]`.
        key: the same for the places' originals; no gradient reaches them.
        temperature: `t`, above 0.

    Returns:
        A scalar; `log N` where all keys are alike, 0 for a single place.

    >>> places = torch.eye(2)[None]
    >>> found, mistaken = patch_contrast(places, places, 1.0), patch_contrast(places.flip(1), places, 1.0)
    >>> round(float(found), 4), round(float(mistaken), 4)
    (0.3133, 1.3133)
    """
    logits = torch.bmm(query, key.detach().transpose(1, 2)) / temperature
    places = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    return functional.cross_entropy(logits.flatten(0, 1), places.flatten())
