"""Divergence of a Gaussian posterior from the prior."""

from torch import Tensor


def gaussian_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`KL(N(mean, variance) || N(0, I)) = 1/2 sum(mean^2 + variance - log variance - 1)`, the mean over images.

    Args:
        mean: `[B, C, h, w]`, or any shape `[B, ...]`.
        log_variance: the logarithm of each component's variance, in the same shape.

    Returns:
        Scalar, at least 0, in nats: summed over an image's components.

    Example:
        >>> import torch
        >>> mean, variance = torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 4.0], [1.0, 1.0]])
        >>> round(gaussian_divergence(mean, variance.log()).item(), 4)  # ((4 + 0) / 2 + (3 - log 4) / 2 + 0) / 2
        1.4034

    Source: Kingma and Welling 2013, appendix B.
    """
    each = mean.square() + log_variance.exp() - log_variance - 1
    return each.flatten(1).sum(dim=1).mean() / 2
