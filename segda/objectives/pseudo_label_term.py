"""What terms share whose student learns the predictions of a teacher, or of a finished network, on target images."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term
from segda.seeds import derive_seed


class PseudoLabels(NamedTuple):
    """What the student learns.

    Attributes:
        label: int64 `[B, H, W]`, at the image's size.
        weight: `[B, H, W]` in `[0, 1]`, or the class weight of a pasted pixel.
    """

    label: Tensor
    weight: Tensor


@dataclass(frozen=True)
class PseudoLabelTerm(Term):
    """A term whose student sees target images strongly augmented, and learns predictions on the plain images.

    Attributes:
        threshold: confidence above which a pixel is trusted.
        confidence: what pixels are weighted by: the share of trusted pixels of their `image`, or of the whole `batch`,
            over all processes but not over micro-batches; or their own `probability`, without threshold.
        flip: the mean of the predictions on the image and on its mirror image.
        jitter: strength of the student's colour jitter: brightness, contrast and saturation change by up to this share,
            hue by up to a fifth of it in turns; 0 for none.
        hue: the largest turn of the hue, at most 0.5, if it is not to be a fifth of `jitter`.
        grey: probability with which the student sees the image without colour.
        blur: largest standard deviation of the student's Gaussian blur, in pixels; 0 for none.
        ignore_top: share of the target image's rows, from the top, without pseudo-labels.
        ignore_bottom: the same from the bottom, where the camera's own car is visible.
        ignore_left: the same of the columns, from the left.
        ignore_right: the same from the right.
    """

    TAUGHT_BY: ClassVar[Literal["teacher", "judge"]] = "teacher"
    """Whose predictions are learned: the moving average's, or another stage's finished network's."""

    threshold: float = 0.968
    confidence: Literal["image", "batch", "probability"] = "image"
    flip: bool = False
    jitter: float = 0.2
    hue: float | None = None
    grey: float = 0.0
    blur: float = 1.0
    ignore_top: float = 0.0
    ignore_bottom: float = 0.0
    ignore_left: float = 0.0
    ignore_right: float = 0.0

    def __post_init__(self) -> None:
        name = self.yaml_name()
        if not 0 <= self.threshold < 1:
            raise ConfigError(f"{name}.threshold: found {self.threshold}, expected a confidence of at least 0, below 1")
        if self.confidence == "probability" and self.threshold != type(self).threshold:
            raise ConfigError(f"{name}.threshold: confidence 'probability' has none; drop it, or use 'image'")
        for option, most in (("jitter", 1), ("hue", 0.5), ("grey", 1)):
            value = getattr(self, option)
            if value is not None and not 0 <= value <= most:
                raise ConfigError(f"{name}.{option}: found {value}, expected a number from 0 to {most}")
        sides = (("rows", "ignore_top", "ignore_bottom"), ("columns", "ignore_left", "ignore_right"))
        for what, first, last in sides:
            before, after = getattr(self, first), getattr(self, last)
            if not (before >= 0 and after >= 0 and before + after < 1):
                raise ConfigError(
                    f"{name}: found {first} {before}, {last} {after}; "
                    f"expected shares of the {what}, at least 0, that leave some {what}"
                )

    def needs(self) -> set[str]:
        """Encoder, head and who teaches; labels for every pixel for ignored margins."""
        margins = self.ignore_top or self.ignore_bottom or self.ignore_left or self.ignore_right
        return {"encoder", "head", self.TAUGHT_BY} | ({"label_map"} if margins else set())

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The share of trusted pixels."""
        return {"trusted": self._confidence(p)[1].mean()}

    def taught_logits(self, p: ForwardPass) -> Tensor:
        """Class logits `[B, K, h, w]` of the target image by who teaches, without gradient.

        With `flip`, the logarithm of the mean of both probabilities, at the head's resolution.
        """
        if not self.flip:
            return self._logits(p)

        def compute() -> Tensor:
            plain, mirrored = self._logits(p), self._logits(p, mirrored=True).flip(-1)
            return torch.logaddexp(plain.log_softmax(dim=1), mirrored.log_softmax(dim=1)) - math.log(2)

        return p.once((self.yaml_name(), "logits"), compute)

    def pseudo_labels(self, p: ForwardPass) -> PseudoLabels:
        """The labels of the plain target images, and weights that are 0 in the margins."""
        label, trust = self._confidence(p)
        height, width = label.shape[-2:]
        weight = trust.expand(label.shape).clone()
        weight[:, : round(height * self.ignore_top)] = 0
        weight[:, height - round(height * self.ignore_bottom) :] = 0
        weight[:, :, : round(width * self.ignore_left)] = 0
        weight[:, :, width - round(width * self.ignore_right) :] = 0
        return PseudoLabels(label, weight)

    def augmented(self, p: ForwardPass, image: Tensor) -> Tensor:
        """What the student sees of target images `[B, 3, H, W]`; draws are by the term and the target's position."""
        if not (self.jitter or self.hue or self.grey or self.blur):
            return image
        from segda.data.augmentation.photometry import Photometry  # imports kornia

        photometry = Photometry(
            brightness=self.jitter, contrast=self.jitter, saturation=self.jitter,
            hue=self.jitter / 5 if self.hue is None else self.hue, grey=self.grey, blur=self.blur,
        )  # fmt: skip
        purpose = self.yaml_name().removeprefix("terms.")
        with torch.no_grad():
            return photometry(image, p.samples("target").position, derive_seed(p.seed, purpose))

    def upsampled(self, logits: Tensor, like: Tensor) -> Tensor:
        """Logits `[B, K, h, w]` at the height and width of another tensor."""
        size = (int(like.shape[-2]), int(like.shape[-1]))
        return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)

    def _confidence(self, p: ForwardPass) -> tuple[Tensor, Tensor]:
        """The labels `[B, H, W]`, and the weights that all pixels have, `[B, 1, 1]`, or each its own, `[B, H, W]`."""

        def compute() -> tuple[Tensor, Tensor]:
            logits = self.upsampled(self.taught_logits(p), p.image("target"))
            confidence, label = logits.softmax(dim=1).max(dim=1)
            if self.confidence == "probability":
                return label, confidence
            share = (confidence > self.threshold).to(logits).flatten(1).mean(dim=1)
            if self.confidence == "batch":
                share = p.gather(share).mean().expand_as(share)
            return label, share[:, None, None]

        return p.once((self.yaml_name(), "pseudo-labels"), compute)

    def _logits(self, p: ForwardPass, mirrored: bool = False) -> Tensor:
        if self.TAUGHT_BY == "teacher":
            return p.teacher_logits(mirrored)
        image = p.image("target")
        with torch.no_grad():
            return p.judge_logits(
                "target, mirrored" if mirrored else "target, plain", image.flip(-1) if mirrored else image, "target"
            )
