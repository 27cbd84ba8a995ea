"""Statistics of a batch as one process takes them, although several share it: samples are gathered, gradients go back.

Batch normalisation, CORAL and maximum mean discrepancy go by mean and variance of the samples that they see together.
With several processes these are each one's own samples, so the result depends on how many processes there are. What
stands here lets them see the samples of all. torch's own SyncBatchNorm does so for batch normalisation, on GPUs alone.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from segda.engine import adabn
from segda.errors import ConfigError
from segda.objectives.term import Term

Exchange = Callable[[Tensor], Tensor]
"""Concatenates the processes' tensors of equal shape along the first dimension, in rank order, without gradient."""


def gather(tensor: Tensor, exchange: Exchange, rank: int) -> Tensor:
    """The processes' tensors concatenated as by `exchange`, with a gradient of any order.

    The gradient that reaches this process's `tensor` is the sum of those that all processes have for it. So where each
    process has a loss and the mean over processes is minimised, averaging the processes' gradients, as data parallelism
    does, gives the gradient of that mean: also where all processes compute the same loss from the same gathered tensor.

    `tensor` is `[N, ...]`, of one shape on all processes, which must all call this; `rank` is this process's.
    """
    gathered: Tensor = _Gather.apply(tensor, exchange, rank)
    return gathered


class _Gather(torch.autograd.Function):
    """Own rows to all rows."""

    @staticmethod
    def forward(context: Any, tensor: Tensor, exchange: Exchange, rank: int) -> Tensor:
        context.exchange, context.rank, context.rows = exchange, rank, len(tensor)
        return exchange(tensor.contiguous())

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _OwnSum.apply(gradient, context.exchange, context.rank, context.rows), None, None


class _OwnSum(torch.autograd.Function):
    """All rows to this process's, summed over what each process has there: the transpose of `_Gather`."""

    @staticmethod
    def forward(context: Any, whole: Tensor, exchange: Exchange, rank: int, rows: int) -> Tensor:
        context.exchange, context.rank = exchange, rank
        return exchange(whole.contiguous()[None])[:, rank * rows : (rank + 1) * rows].sum(dim=0)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Gather.apply(gradient, context.exchange, context.rank), None, None, None


class SynchronizedBatchNorm(TorchFunctionMode):
    """While entered, batch normalisation in training takes mean and variance over the samples of all processes.

    It stands in for `torch.nn.functional.batch_norm`, which every batch normalisation layer calls, those of other
    libraries, too; so no network is changed. Layers in evaluation mode are left alone.
    """

    def __init__(self, gathered: Callable[[Tensor], Tensor]) -> None:
        """Take `gather` of this process, as a function of the tensor."""
        super().__init__()
        self._gathered = gathered

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...] = (),
        options: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """Answer for batch normalisation in training; leave everything else to torch."""
        options = options or {}
        if function is functional.batch_norm and options["training"]:
            options = {name: value for name, value in options.items() if name != "training"}
            return normalise(*arguments, **options, gathered=self._gathered)
        return function(*arguments, **options)


def normalise(
    values: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    gathered: Callable[[Tensor], Tensor],
) -> Tensor:
    """`torch.nn.functional.batch_norm` in training, over the samples of all processes.

    Args:
        values: `[N, C, ...]`; N and places may differ from process to process.
        running_mean: `[C]`, moved towards the mean; `None` to keep none.
        running_var: `[C]`, moved towards the unbiased variance; likewise.
        weight: `[C]` or `None`.
        bias: `[C]` or `None`.
        momentum: share of the new statistics.
        eps: added to the variance.
        gathered: `gather` of this process.

    Raises:
        ConfigError: one value a channel, over all processes.

    Source: mean and variance of parts are combined as in Chan, Golub and LeVeque 1979, which cancels no digits.
    """
    exact = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values  # as torch's kernels do
    axes = [0, *range(2, values.dim())]
    own = torch.var_mean(exact, axes, correction=0)
    parts = gathered(torch.stack([torch.full_like(own[0], values.numel() / values.shape[1]), own[1], own[0]])[None])
    counts, means, variances = parts.unbind(dim=1)
    count = counts.sum(dim=0)
    share = counts / count
    mean = (share * means).sum(dim=0)
    variance = (share * (variances + (means - mean).square())).sum(dim=0)
    with torch.no_grad():
        # Asked for only where it can be, since a GPU would have to be waited for.
        if values.numel() <= values.shape[1] and float(count[0]) < 2:
            raise ConfigError("norm: batch normalisation cannot train on one value a channel; raise `batch`")
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
        if running_var is not None:
            running_var.mul_(1 - momentum).add_(variance * count / (count - 1), alpha=momentum)
    factor = (variance + eps).rsqrt()
    shape = (1, -1, *[1] * (values.dim() - 2))
    result = (exact - mean.view(shape)) * (factor if weight is None else factor * weight).view(shape)
    return (result if bias is None else result + bias.view(shape)).to(values.dtype)


def note(
    networks: Mapping[str, nn.Module], teacher: Mapping[str, nn.Module], terms: Mapping[str, Term], *,
    parts: int, world: int,
) -> str | None:  # fmt: skip
    """One line for who trains by statistics of a part of each batch; `None` where they are of whole batches.

    The networks are in training mode, but for frozen ones; so are those of the `teacher`, if there is one. `parts` of a
    batch have statistics of their own; `world` processes do not gather them, 1 where they do.
    """
    modules = {**networks, **{f"teacher.{name}": module for name, module in teacher.items()}}
    # In training mode, a layer normalises by the batch that it sees.
    normalising = [n for n in sorted(modules) if any(layer.training for layer in adabn.layers({n: modules[n]}))]
    who = [f"batch normalisation ({', '.join(normalising)})"] if normalising else []
    who += [f"terms.{name}" for name, term in sorted(terms.items()) if term.is_batch_statistic()]
    if not who or parts == 1:
        return None
    remedies = ["runtime.gather_statistics: true gathers them over the processes"] if world > 1 else []
    remedies += ["nothing gathers them over micro-batches"] if parts > world else []
    return f"{', '.join(who)}: statistics of 1/{parts} of each batch, not of all of it; {'; '.join(remedies)}"
