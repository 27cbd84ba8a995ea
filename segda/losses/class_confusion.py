"""How much predictions confuse classes with each other."""

from torch import Tensor


def class_confusion(logits: Tensor, temperature: float = 2.5) -> Tensor:
    """Mean share of each class's predictions that goes to other classes: 0 certain, `1 - 1/K` uniform.

    `1 - tr(M) / K`, `M` the matrix `sum_i w_i p_i p_i^T` with rows scaled to sum 1, `p = softmax(logits / temperature)`
    and `w_i = 1 + exp(-H(p_i))`, without gradient, more for certain predictions. Since each `p_i` sums to 1, row k sums
    to `sum_i w_i p_ik` before it is scaled, and nothing but its diagonal is needed.

    Args:
        logits: `[N, K]`.
        temperature: above 1 it makes predictions softer.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
        >>> round(class_confusion(logits[:1], 1.0).item(), 4)
        0.5
        >>> round(class_confusion(logits[1:], 1.0).item(), 4)  # 1 - (1/4 + 3/4) / 2, whatever the weight
        0.5
        >>> round(class_confusion(torch.tensor([[9.0, 0.0], [0.0, 9.0]]), 1.0).item(), 4)
        0.0002

    Source: Jin et al. 2020 (minimum class confusion); the scaling of `w` to mean 1 cancels in `M`.
    """
    logarithm = (logits / temperature).log_softmax(dim=1)
    probability = logarithm.exp()
    entropy = -(probability * logarithm).sum(dim=1, keepdim=True).detach()
    weighted = (1 + (-entropy).exp()) * probability
    # A class that no sample could be is confused with none: 0 / tiny.
    kept = (weighted * probability).sum(dim=0) / weighted.sum(dim=0).clamp_min(1e-30)
    return 1 - kept.mean()
