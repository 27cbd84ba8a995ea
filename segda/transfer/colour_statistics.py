"""Colour transfer: each channel of Lab has the reference's mean and spread, in the whole image or in each class."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Linear RGB (sRGB's primaries) to XYZ relative to the white point D65.
_TO_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=torch.float64,
)
#: XYZ of white: the row sums, so that grey has a* = b* = 0 exactly.
_WHITE = _TO_XYZ.sum(1, keepdim=True)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27

#: Below this standard deviation a channel is constant up to rounding, and is not scaled.
_FLAT = 1e-6

#: Of the whole image's pixels, the share that a class needs in the reference, for its colours to be known.
_SHARE = 0.005
#: A class's spread changes by this factor at most, and by its inverse at least: one of nearly one colour would show its
#: noise, or the label's error at its border, many times enlarged.
_FACTOR = 2.5


@dataclass(frozen=True)
class ColourStatistics:
    """Shifts and scales the channels of CIE L*a*b*.

    Reinhard et al. work in Ruderman's l-alpha-beta, a logarithm of cone responses, which is infinite for black; L*a*b*
    separates lightness from colour as well and is finite everywhere.
    """

    device: torch.device
    by_class: bool

    def __call__(
        self,
        image: np.ndarray,
        reference: np.ndarray,
        label: np.ndarray | None = None,
        reference_label: np.ndarray | None = None,
    ) -> np.ndarray:
        """The image in the reference's colours: uint8 RGB `[H, W, 3]`, clipped; the reference is of any size.

        With labels, integers of each one's height and width, every class takes the colours that it has in the
        reference; one that the reference lacks, and ignored pixels, take those of the whole reference.
        """
        values, colours = in_lab(image, self.device), in_lab(reference, self.device)
        if label is None or reference_label is None:
            return in_rgb(statistics_matched(values, colours), image.shape)
        changed = statistics_matched(values, colours, _FACTOR)
        own, other = (torch.from_numpy(classes.reshape(-1)).to(self.device) for classes in (label, reference_label))
        for index in own.unique():
            there = other == index
            if there.double().mean() >= _SHARE:
                here = own == index
                changed[:, here] = statistics_matched(values[:, here], colours[:, there], _FACTOR)
        return in_rgb(changed, image.shape)


def in_lab(image: np.ndarray, device: torch.device) -> Tensor:
    """CIE L*a*b*, float64 `[3, H W]`, of an image, uint8 RGB `[H, W, 3]`."""
    return to_lab(torch.from_numpy(image.reshape(-1, 3).T.copy()).to(device).double() / 255)


def in_rgb(lab: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """The image, uint8 RGB of `shape` `[H, W, 3]` and clipped, of `[3, H W]` in L*a*b*."""
    return (to_rgb(lab) * 255).round().clamp(0, 255).byte().T.reshape(shape).cpu().numpy()


def statistics_matched(values: Tensor, reference: Tensor, most: float = math.inf) -> Tensor:
    """`values`, `[C, N]`, with the mean and standard deviation of each channel of the reference, `[C, M]`.

    A constant channel takes the mean only. `most` limits the factor of a standard deviation, and its inverse.

    Source: Reinhard et al., IEEE Computer Graphics and Applications 2001, equations 10 and 11.
    """
    mean = values.mean(1, keepdim=True)
    spread = values.std(1, correction=0, keepdim=True)
    factor = torch.where(spread < _FLAT, 1.0, reference.std(1, correction=0, keepdim=True) / spread.clamp(min=_FLAT))
    return (values - mean) * factor.clamp(1 / most, most) + reference.mean(1, keepdim=True)


def to_lab(rgb: Tensor) -> Tensor:
    """CIE L*a*b* (white D65) of sRGB, float64 `[3, N]` in `[0, 1]`: lightness to 100, a* and b* about -110 to 110."""
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    relative = _TO_XYZ.to(rgb.device) @ linear / _WHITE.to(rgb.device)
    x, y, z = torch.where(relative > _EPSILON, relative.clamp(min=0) ** (1 / 3), (_KAPPA * relative + 16) / 116)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def to_rgb(lab: Tensor) -> Tensor:
    """The inverse of `to_lab`; colours outside of sRGB leave `[0, 1]`."""
    y = (lab[0] + 16) / 116
    curved = torch.stack([y + lab[1] / 500, y, y - lab[2] / 200])
    relative = torch.where(curved**3 > _EPSILON, curved**3, (116 * curved - 16) / _KAPPA)
    linear = torch.linalg.inv(_TO_XYZ).to(lab.device) @ (relative * _WHITE.to(lab.device))
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0) ** (1 / 2.4) - 0.055)


def build(device: torch.device, by_class: bool = False) -> ColourStatistics:
    """Colour statistics transfer.

    Args:
        device: where to compute.
        by_class: each class by its own statistics; in the target those where the export's `judge` predicts it.
    """
    return ColourStatistics(device, by_class)
