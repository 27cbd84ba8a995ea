"""How much memory a computation takes: the most that its tensors hold at any one time.

It need not be made for that: on tensors that have shapes and types but hold nothing, a step at full size is gone
through in seconds and a few hundred megabytes, whatever it would take.
"""

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

DEVICE = torch.device("meta")
"""Of tensors that hold nothing."""
VALUE = torch.ops.aten._local_scalar_dense.default
"""A tensor's only number, as `item()` asks for it."""
MOVE = torch.ops.aten._to_copy.default


class PeakMemory(TorchDispatchMode):
    """Counts the bytes of all tensors that are made inside its `with` block, on any device.

    Attributes:
        live: bytes held now.
        most: the most bytes that were held at one time.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        super().__init__()
        self.live = self.most = 0
        self._known = weakref.WeakSet[Any]()

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        """Let torch compute, and look at what comes out."""
        result = function(*arguments, **(options or {}))
        tree_map_only(Tensor, self._count, result)
        return result

    def _count(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()  # views share it, and it lives as long as any of them, also in torch itself
        if storage not in self._known:
            self._known.add(storage)
            size = storage.nbytes()
            self.live += size
            self.most = max(self.most, self.live)
            weakref.finalize(storage, self._free, size)
        return tensor

    def _free(self, size: int) -> None:
        self.live -= size


class MetaPeakMemory(PeakMemory):
    """Counts as `PeakMemory` does, and answers for what torch cannot tell without values, as if all were one.

    What is counted must not depend on values, as the shapes of a training step do not. Tensors on other devices, such
    as draws that are made on the CPU, are computed and counted as ever; whole numbers that are moved from there, which
    identify samples, are remembered.
    """

    def __init__(self) -> None:
        """Nothing is counted yet."""
        super().__init__()
        self._moved = weakref.WeakKeyDictionary[Any, Tensor]()

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None
    ) -> Any:
        """Let torch work out shapes, and look at what comes out."""
        if function is VALUE:
            return self._with_ones(function, arguments, options)
        try:
            result = super().__torch_dispatch__(function, types, arguments, options)
        except NotImplementedError:
            return self._with_ones(function, arguments, options)
        if function is MOVE and result.device == DEVICE != arguments[0].device and not result.is_floating_point():
            self._moved[result.untyped_storage()] = arguments[0]
        return result

    def _with_ones(self, function: Any, arguments: tuple[Any, ...], options: Mapping[str, Any] | None) -> Any:
        """What the function gives for ones, or for remembered numbers, of the same shapes."""
        given, named = tree_map_only(Tensor, self._with_values, (arguments, dict(options or {})))
        result = function(*given, **named)
        if named.get("device") is None:
            result = tree_map_only(Tensor, lambda tensor: tensor.to(DEVICE), result)
        return tree_map_only(Tensor, self._count, result)

    def _with_values(self, tensor: Tensor) -> Tensor:
        if tensor.device != DEVICE:
            return tensor
        known = self._moved.get(tensor.untyped_storage())
        return known if known is not None and known.shape == tensor.shape else torch.ones_like(tensor, device="cpu")
