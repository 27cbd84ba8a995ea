"""Test-time augmentation: the mean of the probabilities over mirror images, scales and sliding windows."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain
from segda.errors import ConfigError
from segda.networks.networks import Networks
from segda.task import Task

PIXELS_AT_ONCE = 2048 * 1024  # windows in one pass take no more memory than the largest usual image

Window = tuple[slice, slice]
"""Its rows and columns."""


@dataclass(frozen=True)
class Augmentation:
    """Test-time augmentation; the default is none.

    Attributes:
        flip: predict on the mirrored image, too.
        scales: factors of the size that the networks see.
        window: height and width of the part of the (scaled) image that networks see at a time; `None` for all of it.
        stride: rows and columns from one window to the next; `None` for two thirds of the window's.
        window_batch: windows that networks see in one pass, which changes rounding at most; `None` for one on a CPU,
            where more are no faster, and elsewhere for as many as have 2048x1024 pixels together.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    window_batch: int | None = None

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) <= 0 or len(set(self.scales)) < len(self.scales):
            raise ConfigError(f"scales: {list(self.scales)}; expected factors above 0, each once, such as [0.75, 1.0]")
        if self.window is not None and min(self.window) < 1:
            raise ConfigError(f"window: {list(self.window)}; expected [height, width], each at least 1")
        if self.stride is not None:
            if self.window is None:
                raise ConfigError(f"stride: {list(self.stride)} without a window; give window: [height, width], too")
            if min(self.stride) < 1 or self.stride[0] > self.window[0] or self.stride[1] > self.window[1]:
                raise ConfigError(
                    f"stride: {list(self.stride)}; expected from 1 to the window's {list(self.window)}, or pixels "
                    "between the windows are never seen"
                )
        if self.window_batch is not None and (self.window is None or self.window_batch < 1):
            raise ConfigError(f"window_batch: {self.window_batch}; expected at least 1, and a window: [height, width]")

    @property
    def plain(self) -> bool:
        """Whether it is none: one pass over the whole image."""
        return not self.flip and self.scales == (1.0,) and self.window is None

    @property
    def steps(self) -> tuple[int, int]:
        """Rows and columns from one window to the next."""
        assert self.window is not None  # only used with windows
        return self.stride or (max(1, 2 * self.window[0] // 3), max(1, 2 * self.window[1] // 3))

    def at_once(self, device: torch.device) -> int:
        """Windows that networks see in one pass."""
        assert self.window is not None  # only used with windows
        if self.window_batch is not None:
            return self.window_batch
        return 1 if device.type == "cpu" else max(1, PIXELS_AT_ONCE // (self.window[0] * self.window[1]))

    def rule(self, task: Task) -> str:
        """How a prediction is made, for the protocol of a score: the task's own rule where there is none."""
        if self.plain:
            return task.prediction_rule
        parts = [f"scales {', '.join(f'{scale:g}' for scale in self.scales)}"]
        parts += ["mirrored, too"] if self.flip else []
        if self.window is not None:
            (height, width), (rows, columns) = self.window, self.steps
            parts.append(f"windows of {height}x{width} every {rows}x{columns} (height x width)")
        return f"mean of the probabilities over {'; '.join(parts)}; argmax"

    def to_json(self) -> dict[str, Any]:
        """The options as the protocol of a score holds them: those that it depends on."""
        options = {key: value for key, value in asdict(self).items() if key != "window_batch"}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}


NO_AUGMENTATION = Augmentation()


def predict(
    networks: Networks,
    task: Task,
    image: Tensor,
    size: tuple[int, ...],
    augmentation: Augmentation,
    domain: Domain = "target",
) -> Tensor:
    """The most likely class of every pixel, or of every image.

    Args:
        networks: an encoder and a head.
        task: reads classes from their output.
        image: `[B, 3, H, W]` in `[-1, 1]`.
        size: height and width of the prediction; `()` where an image has one class.
        augmentation: what to average over.
        domain: whose encoder sees the image, where the domains have one each.

    Returns:
        int64 `[B, *size]` of class indices; without augmentation exactly what `task.predict` returns.

    Raises:
        ConfigError: windows for a task that predicts a class an image.
    """
    if augmentation.plain:
        return task.predict(networks, image, size, domain)
    return probabilities(networks, task, image, size, augmentation, domain).argmax(dim=1)


def probabilities(
    networks: Networks,
    task: Task,
    image: Tensor,
    size: tuple[int, ...],
    augmentation: Augmentation,
    domain: Domain = "target",
) -> Tensor:
    """The mean over scales and mirror images of the probability of every class, `[B, K, *size]`; see `predict`."""
    if augmentation.window is not None and not size:
        raise ConfigError("window: the task predicts one class an image; leave window and stride out")
    total: Tensor | None = None
    for scale, mirrored in product(augmentation.scales, (False, True) if augmentation.flip else (False,)):
        scaled = _scaled(image, scale)
        part = _windowed(networks, task, scaled.flip(-1) if mirrored else scaled, size, augmentation, domain)
        if mirrored and size:
            part = part.flip(-1)
        total = part if total is None else total.add_(part)
    assert total is not None  # there is at least one scale
    return total / (len(augmentation.scales) * (1 + augmentation.flip))


def starts(length: int, window: int, step: int) -> list[int]:
    """Where windows begin so that they cover `length`, the last one at its end; `[0]` where one covers it."""
    if window >= length:
        return [0]
    return [*range(0, length - window, step), length - window]


def _windowed(
    networks: Networks, task: Task, image: Tensor, size: tuple[int, ...], augmentation: Augmentation, domain: Domain
) -> Tensor:
    """Probabilities `[B, K, *size]`: of the whole image where a window covers it, else the mean over the windows.

    The mean is taken at the resolution of `image`, where windows meet pixel for pixel, and resized to `size` then.
    """
    height, width = int(image.shape[-2]), int(image.shape[-1])
    window = augmentation.window
    if window is None or (window[0] >= height and window[1] >= width):
        return task.probabilities(networks, image, size, domain)
    total: Tensor | None = None
    times = torch.zeros(1, 1, height, width, device=image.device)
    windows = _windows(height, width, window, augmentation.steps)
    while group := list(islice(windows, augmentation.at_once(image.device))):
        inputs = torch.cat([image[..., rows, columns] for rows, columns in group])  # all windows have one size
        outputs = task.probabilities(networks, inputs, tuple(inputs.shape[-2:]), domain)
        if total is None:
            total = outputs.new_zeros(len(image), outputs.shape[1], height, width)
        for (rows, columns), output in zip(group, outputs.split(len(image)), strict=True):
            total[..., rows, columns] += output
            times[..., rows, columns] += 1
    assert total is not None  # there is at least one window
    mean = total / times
    if (height, width) == tuple(size):
        return mean
    return functional.interpolate(mean, size=size, mode="bilinear", align_corners=False)


def _windows(height: int, width: int, window: tuple[int, int], steps: tuple[int, int]) -> Iterator[Window]:
    for top in starts(height, window[0], steps[0]):
        for left in starts(width, window[1], steps[1]):
            yield slice(top, min(top + window[0], height)), slice(left, min(left + window[1], width))


def _scaled(image: Tensor, scale: float) -> Tensor:
    """The image at `scale` times its size: bilinear, antialiased where it shrinks."""
    if scale == 1:
        return image
    size = [max(1, round(int(side) * scale)) for side in image.shape[-2:]]
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
