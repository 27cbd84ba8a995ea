"""`runtime.recompute`: activations of networks are computed anew in the backward pass rather than kept, block by block.

A block keeps its input alone; when the gradient arrives, it computes what lies inside once more. That costs about one
more forward pass and changes no bit: the same samples are normalised by the same statistics, dropout draws the same
features, and running statistics move in the first pass alone.

Discriminators keep their activations: they are frozen while the generators' losses are computed and learn again in the
backward pass, so they would not be computed as they were.

Source: Chen et al., Training Deep Nets with Sublinear Memory Cost (arXiv:1604.06174).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from segda.engine.synchronized_batch import SynchronizedBatchNorm

Gathered = Callable[[Tensor], Tensor]
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
KEPT = "discriminator"
"""First part of the names of networks whose activations are kept."""


def apply(networks: Mapping[str, nn.Module], gathered: Gathered | None = None) -> None:
    """Let networks compute their activations anew where gradients are asked for; names of parameters stay.

    The networks are changed in place, before they are wrapped for several processes. `gathered` is that of
    `SynchronizedBatchNorm`, where one is entered: torch leaves it for the backward pass.
    """
    for name, network in networks.items():
        if name.split(".")[0] != KEPT:
            for block in blocks(network):
                # Bound to the block, not closed over it, so that a copy of the network computes with its own weights.
                block.forward = partial(_recomputed, block, gathered)


def blocks(network: nn.Module) -> list[nn.Module]:
    """The parts of a network that are computed as one: residual blocks, dense layers, convolution-norm-ReLU.

    That is, the outermost modules of which nothing inside but layers has a `forward` of its own, and the rows of layers
    beside them. A convolution that pads by copying is one by itself, since it would keep the copy, too.
    """
    return [block for child in network.children() for block in _blocks(child)]


def _blocks(module: nn.Module) -> list[nn.Module]:
    if _is_layer(module):
        return [module] if getattr(module, "padding_mode", "zeros") != "zeros" else []
    below = list(module.children())
    if isinstance(module, CONTAINERS):
        whole = isinstance(module, nn.Sequential) and all(_is_layer(child) for child in below)
    else:
        whole = all(_is_layer(each) or isinstance(each, CONTAINERS) for each in _inside(module))
    return [module] if whole else [block for child in below for block in _blocks(child)]


def _is_layer(module: nn.Module) -> bool:
    """Nothing inside, or weights of its own and layers inside: timm's normalisations hold their activation."""
    inside = list(module.children())
    weights = next(module.parameters(recurse=False), None)
    return not inside or (weights is not None and not any(list(child.children()) for child in inside))


def _inside(module: nn.Module) -> Iterator[nn.Module]:
    """All modules below one, but not those inside layers."""
    for child in module.children():
        yield child
        if not _is_layer(child):
            yield from _inside(child)


def _recomputed(block: nn.Module, gathered: Gathered | None, *arguments: Any, **options: Any) -> Any:
    """What the block's own `forward` answers."""
    forward: Callable[..., Any] = partial(type(block).forward, block)
    # A list may grow before the second pass: a dense block hands the same one to each of its layers.
    given = [list(argument) if isinstance(argument, list) else argument for argument in arguments]
    contexts = partial(_contexts, block, gathered)
    return checkpoint(forward, *given, use_reentrant=False, context_fn=contexts, **options)


def _contexts(
    block: nn.Module, gathered: Gathered | None
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """What the first pass of a block runs in, and any later one: each backward pass asks for one."""
    return nullcontext(), _SecondPass(block, gathered)


class _SecondPass(AbstractContextManager[None]):
    """While entered, a block normalises as it did, and no running statistic moves: its samples are counted already."""

    def __init__(self, block: nn.Module, gathered: Gathered | None) -> None:
        self._layers = [layer for layer in block.modules() if isinstance(layer, _BatchNorm)]
        self._kept: list[tuple[float | None, Tensor | None]] = []
        self._mode = SynchronizedBatchNorm(gathered) if gathered is not None else nullcontext()

    def __enter__(self) -> None:
        self._kept = [(layer.momentum, layer.num_batches_tracked) for layer in self._layers]
        for layer in self._layers:
            layer.momentum, layer.num_batches_tracked = 0.0, None
        self._mode.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)
        for layer, (momentum, counter) in zip(self._layers, self._kept, strict=True):
            layer.momentum, layer.num_batches_tracked = momentum, counter
