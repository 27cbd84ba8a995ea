"""Colour transfer: match each channel's mean and standard deviation in Lab to the reference."""

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


@dataclass(frozen=True)
class ColourStatistics:
    """Shifts and scales the channels of CIE L*a*b*.

    Reinhard et al. work in Ruderman's l-alpha-beta, a logarithm of cone responses, which is infinite for black; L*a*b*
    separates lightness from colour as well and is finite everywhere.
    """

    device: torch.device

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """The image in the reference's colours: uint8 RGB `[H, W, 3]`, clipped; the reference is of any size."""
        values, statistics = (
            to_lab(torch.from_numpy(pixels.reshape(-1, 3).T.copy()).to(self.device).double() / 255)
            for pixels in (image, reference)
        )
        changed = (to_rgb(statistics_matched(values, statistics)) * 255).round().clamp(0, 255).byte()
        return changed.T.reshape(image.shape).cpu().numpy()


def statistics_matched(values: Tensor, reference: Tensor) -> Tensor:
    """`values`, `[C, N]`, with the mean and standard deviation of each channel of the reference, `[C, M]`.

    A constant channel takes the mean only.

    Source: Reinhard et al., IEEE Computer Graphics and Applications 2001, equations 10 and 11.
    """
    mean = values.mean(1, keepdim=True)
    spread = values.std(1, correction=0, keepdim=True)
    factor = torch.where(spread < _FLAT, 1.0, reference.std(1, correction=0, keepdim=True) / spread.clamp(min=_FLAT))
    return (values - mean) * factor + reference.mean(1, keepdim=True)


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


def build(device: torch.device) -> ColourStatistics:
    """Colour statistics transfer, computed on `device`."""
    return ColourStatistics(device)
