"""A history of translated images, so that a discriminator does not forget what it has already learned to reject."""

from collections.abc import Callable

import torch
from torch import Tensor

from segda.objectives import draw


class ImagePool:
    """Up to `size` earlier images. Each new one is shown, or swapped with probability 1/2 for an earlier one.

    Images enter in the order of their positions over all processes, and draws depend on the position alone: all
    processes hold the identical pool, and their number changes nothing.

    Source: Shrivastava et al. 2017; Zhu et al. 2017 (CycleGAN), which holds 50.
    """

    def __init__(self, size: int, seed: int, purpose: str) -> None:
        """An empty pool; `purpose` keeps its draws apart from those of other pools under the same `seed`."""
        self.size = size
        self._seed = seed
        self._purpose = purpose
        self._images: list[Tensor] = []

    def exchange(self, images: Tensor, position: Tensor, gather: Callable[[Tensor], Tensor]) -> Tensor:
        """Put this step's images in and get as many out.

        Args:
            images: this process's `[B, C, H, W]`.
            position: int64 `[B]` on the CPU, no two alike over all processes.
            gather: concatenates a tensor over processes.

        Returns:
            `[B, C, H, W]`, without gradient: for each image itself or an earlier one.
        """
        all_images = gather(images.detach().contiguous())
        all_positions = gather(position).tolist()  # on the CPU, where one process need not wait for its device
        shown: dict[int, Tensor] = {}
        for place, image in sorted(zip(all_positions, all_images, strict=True), key=lambda pair: pair[0]):
            shown[place] = self._swap(image.clone(), place)
        return torch.stack([shown[place].to(images) for place in position.tolist()])

    def _swap(self, image: Tensor, place: int) -> Tensor:
        if len(self._images) < self.size:
            self._images.append(image)
            return image
        generator = draw.generator(self._seed, self._purpose, place)
        if torch.rand((), generator=generator) < 0.5:
            return image
        index = int(torch.randint(self.size, (), generator=generator))
        earlier = self._images[index]
        self._images[index] = image
        return earlier

    def state(self) -> Tensor:
        """The pool's images `[N, C, H, W]` in their order, on the CPU; `[0]` when it is empty."""
        # After a restart, images from the checkpoint and later ones lie on different devices.
        return torch.stack([image.cpu() for image in self._images]) if self._images else torch.empty(0)

    def load_state(self, images: Tensor) -> None:
        """Continue with the images that `state` gave."""
        self._images = [image.clone() for image in images]
