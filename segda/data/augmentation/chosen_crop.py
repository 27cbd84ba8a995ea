"""Crops that show what they are drawn for: looked at by the label alone, and drawn again until one does."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from segda.data.augmentation.crop import TrainTransform
from segda.data.augmentation.view import View
from segda.data.class_counts import histogram
from segda.data.order import Order


@dataclass(frozen=True)
class ChosenCrop:
    """A transform that takes the first good one of some views of an image: a pure function of `(seed, position)`.

    A view is good if it shows enough of the class that the position is drawn for, if there is one, and is not filled by
    one class. If none is good, the one that shows most of that class is taken, of those that show enough of it the one
    that is filled least. An image whose label is one class for all of it is transformed as without this.

    Sources: rare class sampling of Hoyer et al. (DAFormer, CVPR 2022), whose code draws up to ten crops until the class
    takes 0.57 % of one; for `largest_class` the `cat_max_ratio` of mmsegmentation.

    Attributes:
        transform: gives the views.
        order: says which class a position is drawn for.
        crop_share: the class is to take more than this share of the crop's pixels.
        largest_class: the largest share of the crop's labelled pixels that one class may take; 1 for any.
        tries: the number of views that are looked at.
    """

    transform: TrainTransform
    order: Order
    crop_share: float = 0.0057
    largest_class: float = 1.0
    tries: int = 10

    def __call__(
        self, image: np.ndarray, label: np.ndarray | None, position: int
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Transform one sample; arguments and errors as those of `TrainTransform`."""
        if label is None or not label.ndim:
            return self.transform(image, label, position)
        return self.transform.apply(self._view(label, position), image, label)

    def _view(self, label: np.ndarray, position: int) -> View:
        """The view of an image with this label, uint8 `[H, W]`."""
        wanted = self.order(position).wanted
        best: tuple[tuple[float, float], View] | None = None
        for view in islice(self.transform.views((label.shape[0], label.shape[1]), position), self.tries):
            pixels = histogram(view.label(label))
            labelled = pixels[:-1]
            largest = labelled.max() / labelled.sum() if labelled.any() else 1.0
            shown = 1.0 if wanted is None else pixels[wanted] / pixels.sum()
            if shown > self.crop_share and largest <= self.largest_class:
                return view
            merit = min(shown, self.crop_share), -largest
            if best is None or merit > best[0]:
                best = merit, view
        assert best is not None
        return best[1]
