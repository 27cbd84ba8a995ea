"""Distances between two samples of vectors, by their covariances, kernel embeddings or means.

All are statistics of the two samples as a whole: they depend on how a batch is split over processes, unless the
processes gather their samples first.
"""

import torch
from torch import Tensor

# Bandwidths of the Gaussian kernels, as multiples of the mean squared distance.
BANDWIDTHS = tuple(2.0**power for power in range(-3, 2))


def coral(first: Tensor, second: Tensor) -> Tensor:
    """Squared Frobenius distance of the covariance matrices, over `4 d^2`.

    Args:
        first: `[n, d]` with `n` at least 2.
        second: `[m, d]` with `m` at least 2.

    Example:
        >>> first, second = torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 4.0]])
        >>> coral(first, second).item()  # covariances [[2, 2], [2, 2]] and [[0, 0], [0, 8]]: (4 + 4 + 4 + 36) / 16
        3.0

    Source: Sun and Saenko 2016 (Deep CORAL), equations 1 to 3.
    """
    return (covariance(first) - covariance(second)).square().sum() / (4 * first.shape[1] ** 2)


def covariance(samples: Tensor) -> Tensor:
    """The unbiased covariance matrix `[d, d]` of `[n, d]`.

    Example:
        >>> samples = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
        >>> covariance(samples).tolist()
        [[2.0, 4.0], [4.0, 8.0]]
    """
    centred = samples - samples.mean(dim=0)
    return centred.T @ centred / (len(samples) - 1)


def linear_mmd(first: Tensor, second: Tensor) -> Tensor:
    """Squared distance of the means: maximum mean discrepancy under the linear kernel.

    Args:
        first: `[n, d]`.
        second: `[m, d]`.

    Example:
        >>> first, second = torch.tensor([[0.0, 0.0], [2.0, 2.0]]), torch.tensor([[4.0, 5.0]])
        >>> linear_mmd(first, second).item()  # means (1, 1) and (4, 5)
        25.0

    Source: Tzeng et al. 2014 (DDC), equation 1.
    """
    return (first.mean(dim=0) - second.mean(dim=0)).square().sum()


def mmd(first: Tensor, second: Tensor) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy under a sum of five Gaussian kernels.

    `mean_{i != j} k(s_i, s_j) + mean_{i != j} k(t_i, t_j) - 2 mean_{ij} k(s_i, t_j)`, which may be below 0. The kernels
    are `k(x, y) = sum_a exp(-|x - y|^2 / (2 a v))`, `a` in 1/8 to 2, `v` the mean squared distance of all pairs,
    without gradient. Time and memory grow with `(n + m)^2`.

    Args:
        first: `[n, d]` with `n` at least 2.
        second: `[m, d]` with `m` at least 2.

    Example:
        >>> first, second = torch.tensor([[0.0], [0.0]]), torch.tensor([[2.0], [2.0]])
        >>> round(mmd(first, second).item(), 4)  # v = 2: 5 + 5 - 2 (e^-8 + e^-4 + e^-2 + e^-1 + e^-1/2)
        7.7432

    Source: Long et al. 2015 (DAN); kernels as in Transfer-Learning-Library, which adds them up without averaging.
    """
    count, others = len(first), len(second)
    both = torch.cat([first, second])
    squared = _squared_distances(both)
    kernel = _gaussians(squared, squared.detach().mean())
    of_first, of_second, across = kernel[:count, :count], kernel[count:, count:], kernel[:count, count:]
    return (
        (of_first.sum() - of_first.diagonal().sum()) / (count * (count - 1))
        + (of_second.sum() - of_second.diagonal().sum()) / (others * (others - 1))
        - 2 * across.mean()
    )


def linear_time_mmd(first: Tensor, second: Tensor) -> Tensor:
    """The same discrepancy estimated from quadruples, in time and memory linear in `n`.

    The mean over `i` of `k(s_i, s_j) + k(t_i, t_j) - k(s_i, t_j) - k(s_j, t_i)`, `j = i + n/2`: far apart, since
    neighbouring samples may be positions of one image, which are not independent. `v` is the mean squared distance of
    these pairs. Samples beyond the last quadruple are not used.

    Args:
        first: `[n, d]` with `n` at least 2.
        second: `[m, d]` with `m` at least 2.

    Example:
        >>> first, second = torch.tensor([[0.0], [0.0]]), torch.tensor([[2.0], [2.0]])
        >>> round(linear_time_mmd(first, second).item(), 4)  # v = 2, as in `mmd`
        7.7432

    Source: Gretton et al. 2012, lemma 14; Long et al. 2015 (DAN), equation 4, with another choice of pairs.
    """
    half = min(len(first), len(second)) // 2
    first_a, first_b, second_a, second_b = first[:half], first[half : 2 * half], second[:half], second[half : 2 * half]
    pairs = ((first_a, first_b), (second_a, second_b), (first_a, second_b), (first_b, second_a))
    squared = torch.stack([(x - y).square().sum(dim=1) for x, y in pairs])
    kernel = _gaussians(squared, squared.detach().mean()).mean(dim=1)
    return kernel[0] + kernel[1] - kernel[2] - kernel[3]


def _squared_distances(samples: Tensor) -> Tensor:
    """`[n, n]`, at least 0, by inner products, without a tensor `[n, n, d]`."""
    samples = samples - samples.detach().mean(dim=0)  # smaller numbers lose fewer digits in the subtraction
    length = samples.square().sum(dim=1)
    distances = (length[:, None] + length - 2 * samples @ samples.T).clamp_min(0)
    return distances.where(~torch.eye(len(samples), dtype=torch.bool, device=samples.device), 0)


def _gaussians(squared: Tensor, mean: Tensor) -> Tensor:
    least = torch.finfo(mean.dtype).tiny
    return torch.stack([(-squared / (2 * factor * mean).clamp_min(least)).exp() for factor in BANDWIDTHS]).sum(dim=0)
