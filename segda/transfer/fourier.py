"""Fourier domain adaptation: the image with the reference's amplitude at low frequencies."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segda.data.resize import resize_image
from segda.errors import ConfigError


@dataclass(frozen=True)
class Fourier:
    """Swaps low-frequency amplitudes; see `build`."""

    device: torch.device
    beta: float

    def __call__(self, image: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """The image in the reference's style: uint8 RGB `[H, W, 3]`, clipped; the reference is resized to its size."""
        resized = resize_image(reference, (image.shape[0], image.shape[1]))
        own, style = (torch.from_numpy(pixels.transpose(2, 0, 1).copy()).to(self.device) for pixels in (image, resized))
        swapped = amplitude_swapped(own, style, self.beta).round().clamp(0, 255).byte()
        return swapped.permute(1, 2, 0).cpu().numpy()


def amplitude_swapped(image: Tensor, reference: Tensor, beta: float) -> Tensor:
    """The image with the reference's amplitude at low frequencies; other amplitudes and all phases are unchanged.

    Both are `[C, H, W]` of any scale; the result is float64 and not clipped. `beta`: see `build`.

    Source: Yang and Soatto, CVPR 2020, equation 3.
    """
    spectrum = torch.fft.fft2(image.double())
    replacement = torch.fft.fft2(reference.double()).abs()
    low = low_frequencies(image.shape[-2], image.shape[-1], beta).to(image.device)
    amplitude = torch.where(low, replacement, spectrum.abs())
    # The window contains with every frequency its negative, so the result is real up to rounding.
    return torch.fft.ifft2(torch.polar(amplitude, spectrum.angle())).real


def low_frequencies(height: int, width: int, beta: float) -> Tensor:
    """The window of low frequencies of an unshifted spectrum: bool `[height, width]`.

    The window is the square of frequencies from `-b` to `b` cycles an image in both directions, where `b` is `beta`
    times the shorter side, rounded down as in the authors' code. Negative frequencies are at the end of the
    spectrum, so the window is its four corners. `b = 0` swaps the mean colour only.
    """
    reach = int(beta * min(height, width))
    rows, columns = ((torch.fft.fftfreq(side) * side).round().abs() <= reach for side in (height, width))
    return rows[:, None] & columns[None, :]


def build(device: torch.device, beta: float = 0.01) -> Fourier:
    """Fourier domain adaptation.

    Args:
        device: where to compute.
        beta: half the window's side as a share of the image's shorter side; the authors try 0.01, 0.05 and 0.09.

    Raises:
        ConfigError: `beta` is not in `[0, 0.5]`.
    """
    if not 0 <= beta <= 0.5:
        raise ConfigError(f"transfer fourier: beta: {beta}; expected a share of the shorter side, from 0 to 0.5")
    return Fourier(device, beta)
