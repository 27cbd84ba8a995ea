"""A pool of earlier translated images, so that a discriminator does not forget fakes it has learned to reject."""

from collections.abc import Callable

import torch
from torch import Tensor

from segda.objectives import draw


class ImagePool:
    """Up to `size` earlier images. Each new one is returned, or with probability 1/2 swapped for an earlier one.

    Images enter in the order of their positions over all processes, and draws depend on the position alone: all
    processes hold the same pool, whatever their number.

    Source: Shrivastava et al. 2017; Zhu et al. 2017 (CycleGAN), which holds 50.
    """

    def __init__(self, size: int, seed: int, purpose: str) -> None:
        """An empty pool; `purpose` separates its draws from those of other pools under the same `seed`."""
        self.size = size
        self._seed = seed
        self._purpose = purpose
        self._images: list[Tensor] = []

    def exchange(self, images: Tensor, position: Tensor, gather: Callable[[Tensor], Tensor]) -> Tensor:
        """Put images `[B, C, H, W]` in and take as many out, without gradient: each image itself or an earlier one.

        Positions, int64 `[B]` on the CPU, are unique over all processes, over which `gather` concatenates a tensor.
        """
        all_images = gather(images.detach().contiguous())
        all_positions = gather(position).tolist()  # on the CPU, so that nothing waits for the device
        taken: dict[int, Tensor] = {}
        for index, image in sorted(zip(all_positions, all_images, strict=True), key=lambda pair: pair[0]):
            taken[index] = self._swap(image.clone(), index)
        return torch.stack([taken[index].to(images) for index in position.tolist()])

    def _swap(self, image: Tensor, position: int) -> Tensor:
        if len(self._images) < self.size:
            self._images.append(image)
            return image
        generator = draw.sample_generator(self._seed, self._purpose, position)
        if torch.rand((), generator=generator) < 0.5:
            return image
        index = int(torch.randint(self.size, (), generator=generator))
        earlier = self._images[index]
        self._images[index] = image
        return earlier

    def state(self) -> Tensor:
        """The pool's images `[N, C, H, W]` in order, on the CPU; `[0]` when it is empty."""
        # After a restart, images from the checkpoint and later ones lie on different devices.
        return torch.stack([image.cpu() for image in self._images]) if self._images else torch.empty(0)

    def load_state(self, images: Tensor) -> None:
        """Continue with the images that `state` returned."""
        self._images = [image.clone() for image in images]
