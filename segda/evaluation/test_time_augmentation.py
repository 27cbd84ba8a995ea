"""Test-time augmentation: the mean of the probabilities over mirror images, scales and sliding windows."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain
from segda.data.loader import in_range
from segda.errors import ConfigError
from segda.networks.networks import Networks
from segda.task import Task

PIXELS_AT_ONCE = 2048 * 1024  # windows in one pass take no more memory than the largest usual image
PIXELS_IN_A_BAND = 1 << 15  # of a windowed prediction that are worked on at a time

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
        return self.once and self.window is None

    @property
    def once(self) -> bool:
        """Whether the image is seen once, at its own size and not mirrored."""
        return not self.flip and self.scales == (1.0,)

    def covers(self, image: Tensor) -> bool:
        """Whether networks see all of an image `[..., H, W]` at a time."""
        return self.window is None or all(a >= b for a, b in zip(self.window, image.shape[-2:], strict=True))

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

    With windows, probabilities are held for the rows that a window covers, not for the whole image.

    Args:
        networks: an encoder and a head.
        task: reads classes from their output.
        image: `[B, 3, H, W]`, float32 in `[-1, 1]`, or uint8 with windows, which become floats one by one.
        size: height and width of the prediction; `()` where an image has one class.
        augmentation: what to average over.
        domain: whose encoder sees the image, where the domains have one each.

    Returns:
        uint8 `[B, *size]` of class indices; without augmentation exactly what `task.predict` returns.

    Raises:
        ConfigError: windows for a task that predicts a class an image.
    """
    if augmentation.plain or (augmentation.once and size and augmentation.covers(image)):
        return task.predict(networks, in_range(image.contiguous()), size, domain).byte()
    bands = _mean(networks, task, image, size, augmentation, domain)
    if augmentation.window is None:
        return next(bands).argmax(dim=1).byte()
    # At once, since small pieces that stay would keep the memory of the bands between them from being returned.
    prediction = torch.empty((len(image), *size), dtype=torch.uint8, device=image.device)
    done = 0
    for band in bands:
        prediction[:, done : done + band.shape[-2]] = band.argmax(dim=1)
        done += band.shape[-2]
    return prediction


def probabilities(
    networks: Networks,
    task: Task,
    image: Tensor,
    size: tuple[int, ...],
    augmentation: Augmentation,
    domain: Domain = "target",
) -> Tensor:
    """The mean over scales and mirror images of the probability of every class, `[B, K, *size]`; see `predict`."""
    bands = [band.clone() for band in _mean(networks, task, image, size, augmentation, domain)]
    return torch.cat(bands, dim=-2) if size else bands[0]


def starts(length: int, window: int, step: int) -> list[int]:
    """Where windows begin so that they cover `length`, the last one at its end; `[0]` where one covers it."""
    if window >= length:
        return [0]
    return [*range(0, length - window, step), length - window]


def _mean(
    networks: Networks, task: Task, image: Tensor, size: tuple[int, ...], augmentation: Augmentation, domain: Domain
) -> Iterator[Tensor]:
    """The mean over scales and mirror images, band by band: `[B, K, rows, W]`, or all of `[B, K, *size]` at once.

    A band is overwritten when the next one is asked for.
    """
    if augmentation.window is not None and not size:
        raise ConfigError("window: the task predicts one class an image; leave window and stride out")
    mirrorings = (False, True) if augmentation.flip else (False,)
    bands = _bands(image, size, augmentation) if augmentation.window is not None else [slice(None)]
    passes = [
        _pass(networks, task, image, size, augmentation, domain, scale, mirrored, bands)
        for scale, mirrored in product(augmentation.scales, mirrorings)
    ]
    for _ in bands:
        total = next(passes[0])
        for other in passes[1:]:
            total.add_(next(other))
        yield total.div_(len(passes))


def _bands(image: Tensor, size: tuple[int, ...], augmentation: Augmentation) -> list[slice]:
    """The rows of a windowed prediction that are worked on at a time.

    A map of usual size is resized as a whole; band by band, its last bits would be other ones.
    """
    height, width = size
    resized = augmentation.scales != (1.0,) or tuple(image.shape[-2:]) != size or augmentation.covers(image)
    if resized and height * width <= PIXELS_AT_ONCE:
        return [slice(0, height)]
    rows = max(1, PIXELS_IN_A_BAND // width)
    return [slice(start, min(start + rows, height)) for start in range(0, height, rows)]


def _pass(
    networks: Networks, task: Task, image: Tensor, size: tuple[int, ...], augmentation: Augmentation, domain: Domain,
    scale: float, mirrored: bool, bands: list[slice],
) -> Iterator[Tensor]:  # fmt: skip
    """Probabilities of one scale, mirrored or not, band by band: of the whole image where a window covers it.

    The mean over windows is taken at the resolution that they see, where they meet pixel for pixel, and resized then.
    """
    scaled = _scaled(image, scale)
    if augmentation.covers(scaled):
        seen = in_range(scaled.contiguous())
        whole = task.probabilities(networks, seen.flip(-1) if mirrored else seen, size, domain)
        parts = iter([whole] if len(bands) == 1 else [whole[..., rows, :] for rows in bands])
        del whole, seen
    else:
        rows = _finished_rows(networks, task, scaled, mirrored, augmentation, domain)
        parts = _resized(rows, int(scaled.shape[-2]), int(scaled.shape[-1]), size, bands)
    for part in parts:
        yield part.flip(-1) if mirrored and size else part


def _finished_rows(
    networks: Networks, task: Task, image: Tensor, mirrored: bool, augmentation: Augmentation, domain: Domain
) -> Iterator[Tensor]:
    """The mean over the windows of an image, mirrored or not: a few rows `[B, K, rows, W]` at a time, top to bottom.

    What is yielded is overwritten when the next rows are asked for: only as many are held as windows cover at a time.
    """
    assert augmentation.window is not None  # only used with windows
    height, width = int(image.shape[-2]), int(image.shape[-1])
    windows = _windows(height, width, augmentation.window, augmentation.steps)
    most = max(1, PIXELS_IN_A_BAND // width)
    total, times, first = image.new_empty(0), image.new_empty(0), 0
    while group := list(islice(windows, augmentation.at_once(image.device))):
        inputs = torch.cat([_cut(image, window, mirrored) for window in group])  # all windows have one size
        outputs = task.probabilities(networks, inputs, tuple(inputs.shape[-2:]), domain)
        if total.numel() == 0:
            total = outputs.new_zeros(len(image), outputs.shape[1], inputs.shape[-2], width)
            times = outputs.new_zeros(inputs.shape[-2], width)
        for (rows, columns), output in zip(group, outputs.split(len(image)), strict=True):
            done = rows.start - first
            if done:  # no window to come reaches the rows above this one
                yield from total[..., :done, :].div_(times[:done]).split(most, dim=-2)
                for held in (total, times):
                    rest = held[..., done:, :].clone()
                    held.zero_()[..., : rest.shape[-2], :] = rest
                first = rows.start
            total[..., columns] += output
            times[:, columns] += 1
    yield from total.div_(times).split(most, dim=-2)


def _windows(height: int, width: int, window: tuple[int, int], steps: tuple[int, int]) -> Iterator[Window]:
    for top in starts(height, window[0], steps[0]):
        for left in starts(width, window[1], steps[1]):
            yield slice(top, min(top + window[0], height)), slice(left, min(left + window[1], width))


def _cut(image: Tensor, window: Window, mirrored: bool) -> Tensor:
    """A window of the image, or of its mirror image, as networks take it."""
    rows, columns = window
    if not mirrored:
        return in_range(image[..., rows, columns].contiguous())
    width = int(image.shape[-1])
    return in_range(image[..., rows, width - columns.stop : width - columns.start].contiguous()).flip(-1)


def _resized(
    rows: Iterator[Tensor], height: int, width: int, size: tuple[int, ...], bands: list[slice]
) -> Iterator[Tensor]:
    """Bilinear interpolation of a map of `height` and `width`, given a few rows at a time, to `size`, band by band."""
    held, first = next(rows), 0
    for band in bands:
        if (height, width) == size:
            low, high = band.start, band.stop
        elif len(bands) == 1:
            low, high = 0, height
        else:
            place = ((torch.arange(band.start, band.stop) + 0.5) * (height / size[0]) - 0.5).clamp(0, height - 1)
            low, high = int(place[0]), min(int(place[-1]) + 2, height)
        pieces = [held]
        if first + held.shape[-2] < high:
            start = min(max(low - first, 0), held.shape[-2])
            pieces, first = [held[..., start:, :].clone()], first + start
            while first + sum(piece.shape[-2] for piece in pieces) < high:
                pieces.append(next(rows).clone())
            held = torch.cat(pieces, dim=-2)
        part = held[..., low - first : high - first, :]
        if (height, width) == size:
            yield part
        elif len(bands) == 1:
            yield functional.interpolate(part, size=size, mode="bilinear", align_corners=False)
        else:
            wide = functional.interpolate(part, size=(high - low, size[1]), mode="bilinear", align_corners=False)
            upper = place.long()
            lower = (upper + 1).clamp(max=height - 1)
            share = (place - upper).float()[:, None].to(wide.device)
            yield torch.lerp(wide[..., upper - low, :], wide[..., lower - low, :], share)


def _scaled(image: Tensor, scale: float) -> Tensor:
    """The image at `scale` times its size: bilinear, antialiased where it shrinks."""
    if scale == 1:
        return image
    size = [max(1, round(int(side) * scale)) for side in image.shape[-2:]]
    floats = in_range(image.contiguous())
    return functional.interpolate(floats, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
