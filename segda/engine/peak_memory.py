"""How much memory a computation takes: the most that its tensors hold at any one time."""

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


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
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor: torch.Tensor) -> torch.Tensor:
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
