"""Photometric augmentation on the device: kornia's operations with factors of each sample."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from segda.batch import moved
from segda.errors import ConfigError
from segda.seeds import derive_seed


@dataclass(frozen=True)
class Photometry:
    """Brightness, contrast, saturation, hue, gamma, blur and grey, in this order, drawn for each sample.

    Every draw is a pure function of the seed and the sample's position in the data order, so that neither the number
    of processes nor a restart changes it.

    Attributes:
        brightness: the factor is uniform in `[1 - brightness, 1 + brightness]`.
        contrast: likewise, about the image's mean grey.
        saturation: likewise.
        hue: the turn is uniform in `[-hue, hue]`, in full turns, at most 0.5.
        gamma: the exponent lies between `1 / (1 + gamma)` and `1 + gamma`, uniform in its logarithm.
        blur: the Gaussian's standard deviation is uniform in `[0.1, blur]` pixels; 0 for none.
        probability: with which each of these operations touches a sample, independently.
        grey: the probability with which a sample loses its colour and keeps its luminance.
    """

    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.25
    hue: float = 0.05
    gamma: float = 0.0
    blur: float = 0.0
    probability: float = 0.8
    grey: float = 0.0

    def __post_init__(self) -> None:
        limits = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0.5, "probability": 1, "grey": 1}
        for key in ("brightness", "contrast", "saturation", "hue", "gamma", "blur", "probability", "grey"):
            value, most = getattr(self, key), limits.get(key, math.inf)
            if not 0 <= value <= most:
                raise ConfigError(f"photometry.{key}: {value}; expected a number in [0, {most}]")
        if 0 < self.blur < 0.1:
            raise ConfigError(f"photometry.blur: {self.blur}; expected 0 (none) or at least 0.1 pixels")

    def __call__(self, image: Tensor, position: Tensor, seed: int) -> Tensor:
        """Augment a batch.

        Args:
            image: float32 `[B, 3, H, W]` in `[-1, 1]`.
            position: int64 `[B]`, each sample's index in the data order.
            seed: of all draws; another one for each stream, `derive_seed(seed, "source", "photometry")`.

        Returns:
            float32 `[B, 3, H, W]` in `[-1, 1]`; the input is left as it was.
        """
        # kornia takes seconds to import; runs without augmentation should not wait for it.
        from kornia import color, enhance, filters

        generators = [np.random.default_rng(derive_seed(seed, each)) for each in position.tolist()]

        def draw(low: float, high: float) -> tuple[Tensor, Tensor]:
            """Factors `[B]` on the CPU, and which samples take part `[B, 1, 1, 1]`. Always two draws a sample."""
            drawn = np.array([[each.uniform(low, high), each.random()] for each in generators])
            takes = there(torch.as_tensor(drawn[:, 1] < self.probability))
            return torch.as_tensor(drawn[:, 0], dtype=image.dtype), takes[:, None, None, None]

        def there(drawn: Tensor) -> Tensor:
            return moved(drawn, image.device)

        pixels = (image + 1) / 2
        factor, takes = draw(1 - self.brightness, 1 + self.brightness)
        if self.brightness:
            pixels = torch.where(takes, enhance.adjust_brightness_accumulative(pixels, there(factor)), pixels)
        factor, takes = draw(1 - self.contrast, 1 + self.contrast)
        if self.contrast:
            pixels = torch.where(takes, enhance.adjust_contrast_with_mean_subtraction(pixels, there(factor)), pixels)
        factor, takes = draw(1 - self.saturation, 1 + self.saturation)
        if self.saturation:
            pixels = torch.where(takes, enhance.adjust_saturation(pixels, there(factor)), pixels)
        factor, takes = draw(-self.hue, self.hue)
        if self.hue:
            pixels = torch.where(takes, enhance.adjust_hue(pixels, there(factor * 2 * math.pi)), pixels)
        factor, takes = draw(-math.log1p(self.gamma), math.log1p(self.gamma))
        if self.gamma:
            pixels = torch.where(takes, enhance.adjust_gamma(pixels, there(factor.exp())), pixels)
        factor, takes = draw(min(0.1, self.blur), self.blur)
        if self.blur:
            side = 2 * math.ceil(3 * self.blur) + 1
            # Kernels are made on the CPU, since kornia asks whether deviations are positive.
            kernel = there(filters.get_gaussian_kernel1d(side, factor[:, None]))
            # "replicate", since "reflect" cannot pad an image that is smaller than the kernel.
            pixels = torch.where(takes, filters.filter2d_separable(pixels, kernel, kernel, "replicate"), pixels)
        if self.grey:
            lost = there(torch.tensor([each.random() < self.grey for each in generators]))[:, None, None, None]
            pixels = torch.where(lost, color.rgb_to_grayscale(pixels), pixels)
        return (pixels * 2 - 1).clamp(-1, 1)
