"""Distance of softened predictions."""

from torch import Tensor
from torch.nn import functional


def softened_divergence(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """`T^2 KL(softmax(teacher / T) | softmax(student / T))` of each pixel; the factor keeps gradients of equal size.

    Args:
        student: logits `[B, K, H, W]`.
        teacher: logits `[B, K, H, W]`.
        temperature: T, above 0.

    Returns:
        `[B, H, W]`, at least 0, in nats.

    Example:
        >>> import torch
        >>> even, sure = torch.zeros(1, 2, 1, 1), torch.tensor([0.25, 0.75]).log().view(1, 2, 1, 1)
        >>> round(softened_divergence(even, sure, 1.0).item(), 4)  # log 2 + 0.25 log 0.25 + 0.75 log 0.75
        0.1308
        >>> softened_divergence(sure, sure).item()
        0.0

    Source: Hinton et al. 2015, section 2.
    """
    found, expected = ((logits / temperature).log_softmax(dim=1) for logits in (student, teacher))
    return functional.kl_div(found, expected, reduction="none", log_target=True).sum(dim=1) * temperature**2
