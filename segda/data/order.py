"""Which sample stands at a position of the endless data order: pure functions of seed and position.

A position is a sample's index among all that a run ever draws of a domain. So neither restarts, nor processes, nor
workers change which samples a step sees.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from segda.errors import DataError
from segda.seeds import derive_seed


class Drawn(NamedTuple):
    """The number of a sample, and the class that a crop of it is to show, if one is drawn, too.

    Samples of several data sets are counted one set after the other.
    """

    sample: int
    wanted: int | None = None


Order = Callable[[int], Drawn]
"""From a position to what is drawn there; the same on every process, whatever was asked for before."""


def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of one epoch: int64 `[n]`, a permutation of `0..n-1`."""
    return np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(n)


@dataclass
class Shuffled:
    """Epoch after epoch, each in an order of its own, of `n` samples."""

    seed: int
    n: int
    _epoch: tuple[int, np.ndarray] = field(default=(-1, np.empty(0, dtype=np.int64)), repr=False)

    def __call__(self, position: int) -> Drawn:
        """What is drawn at a position."""
        epoch, place = divmod(position, self.n)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, permutation(self.seed, epoch, self.n))
        return Drawn(int(self._epoch[1][place]))


class RareClasses:
    """A class, the more likely the rarer it is, then an image that shows it, each as likely as another.

    A class that takes the share `f` of all labelled pixels has the probability `softmax((1 - f) / temperature)`; one
    without any pixel is never drawn. Images are drawn with replacement, so that an epoch has no meaning.

    Source: rare class sampling of Hoyer et al. (DAFormer, CVPR 2022); the 3000 pixels that its code asks for are 0.15 %
    of an image of GTA5.

    Attributes:
        probability: float64 `[K]`, with which each class is drawn.
    """

    def __init__(self, pixels: np.ndarray, seed: int, temperature: float = 0.01, image_share: float = 0.0015) -> None:
        """Prepare the draws.

        Args:
            pixels: int64 `[N, K + 1]`, of each class in each image, ignored ones last; see
                `segda.data.class_counts.count`.
            seed: of the stream.
            temperature: above 0; high ones draw all classes alike.
            image_share: an image shows a class that takes more than this share of its pixels, in `[0, 1)`. Of a class
                that no image shows so, those with its largest share are taken.

        Raises:
            DataError: no pixel is labelled.
        """
        of_class = pixels[:, :-1].sum(axis=0)
        if not of_class.any():
            raise DataError("rare_classes: no pixel of the source's labels counts, so there is no class to draw")
        self.seed = seed
        exponent = np.where(of_class > 0, (1 - of_class / of_class.sum()) / temperature, -np.inf)
        likelihood = np.exp(exponent - exponent.max())
        self.probability = likelihood / likelihood.sum()
        shares = pixels[:, :-1] / pixels.sum(axis=1, keepdims=True)
        enough = np.minimum(np.nextafter(image_share, 1), shares.max(axis=0))
        self._images = [np.flatnonzero(column) for column in (shares >= enough).T]
        self._cumulative = np.cumsum(self.probability)
        self._cumulative /= self._cumulative[-1]

    def __call__(self, position: int) -> Drawn:
        """What is drawn at a position."""
        generator = np.random.default_rng(derive_seed(self.seed, "rare", position))
        wanted = int(np.searchsorted(self._cumulative, generator.random(), side="right"))
        images = self._images[wanted]
        return Drawn(int(images[generator.integers(len(images))]), wanted)


class Weighted:
    """One of several data sets, by its weight, then a sample of it by its own order."""

    def __init__(self, orders: Sequence[Order], sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        """Prepare the draws.

        Args:
            orders: of each data set.
            sizes: samples of each.
            weights: above 0, one for each; only their ratios count.
            seed: of the stream.
        """
        self.seed, self._orders = seed, tuple(orders)
        self._first = np.cumsum([0, *sizes])
        self._cumulative = np.cumsum(weights) / np.sum(weights)
        self._cumulative[-1] = 1

    def __call__(self, position: int) -> Drawn:
        """What is drawn at a position.

        An order gets the position as it is: what one of shuffled epochs gives does not come again within an epoch.
        """
        generator = np.random.default_rng(derive_seed(self.seed, "data set", position))
        chosen = int(np.searchsorted(self._cumulative, generator.random(), side="right"))
        drawn = self._orders[chosen](position)
        return drawn._replace(sample=int(self._first[chosen]) + drawn.sample)
