"""Class sizes in labelled source images, for terms that constrain predictions to them."""

from typing import NamedTuple

from torch import Tensor


class ClassSizes(NamedTuple):
    """Shares of an image's valid pixels, over the source images that contain the class; NaN where none does.

    Attributes:
        least: float32 `[K]`: the mean of the lowest tenth of the images.
        mean: float32 `[K]`: the mean.
        most: float32 `[K]`: the mean of the highest tenth.

    Source: Hoffman et al. 2016 (FCNs in the Wild), section 3.3: alpha, delta and gamma.
    """

    least: Tensor
    mean: Tensor
    most: Tensor
