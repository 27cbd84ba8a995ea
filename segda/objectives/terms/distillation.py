"""The student learns a finished network of any size: its predictions, softened, and its labels, on augmented images.

Equation: `mean_p w_p [(1 - s) CE(z, argmax z') + s T^2 KL(softmax(z' / T) | softmax(z / T))]` over target images. `z`
are the student's logits of the augmented image, `z'` those of the plain image by the judge, a frozen encoder and head
of another stage; `w` is as in `self_training`, 1 everywhere at threshold 0. Where a source image is pasted, `CE(z, c)`
of its label takes the place of the bracket. With `source`, plus `mean_p` of the bracket over plain source images.
Source: Hinton et al. 2015, section 2, the softened loss; DUDA (2025, arXiv 2504.09814), a small network that learns
labels and softened predictions of a large adapted one, on both domains. Mixing, after DACS, is ours.
**Gradients:** head and target encoder, with `source` the source encoder, too; none to the judge.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.losses.distillation import softened_divergence
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.mixing_term import MixingTerm


@dataclass(frozen=True)
class Distillation(MixingTerm):
    """The student's loss against another stage's finished network; other options as in `MixingTerm`.

    Attributes:
        threshold: confidence above which a pixel is trusted; at 0 all are.
        soft: share of the softened predictions in the loss; the rest is of the labels.
        temperature: what the logits of both are divided by.
        source: learn the judge's predictions on source images, too.
    """

    TAUGHT_BY: ClassVar[Literal["teacher", "judge"]] = "judge"

    threshold: float = 0.0
    soft: float = 0.5
    temperature: float = 2.0
    source: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.soft <= 1:
            raise ConfigError(f"terms.distillation.soft: found {self.soft}, expected a share from 0 to 1")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.distillation.temperature: found {self.temperature}, expected a finite number above 0"
            )

    def generator(self, p: ForwardPass) -> Tensor:
        """The loss on augmented target images, and on source images by option."""
        image, label, weight, pasted = self.mixed(p, self.pseudo_labels(p))
        logits = p.predict(self.augmented(p, image), "target")
        hard, both = self._of_pixels(logits, self.taught_logits(p), label)
        loss = (weight * torch.where(pasted, hard, both)).mean()
        return loss + self._on_source(p) if self.source else loss

    def _on_source(self, p: ForwardPass) -> Tensor:
        image = p.image("source")
        with torch.no_grad():
            taught = p.judge_logits("distillation, source", image, "source")
            label = self.upsampled(taught, image).argmax(dim=1)
        return self._of_pixels(p.logits("source"), taught, label)[1].mean()

    def _of_pixels(self, logits: Tensor, taught: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each pixel, `[B, H, W]`: of its label alone, and of its label and the softened prediction."""
        logits = self.upsampled(logits, label)
        hard = functional.cross_entropy(logits, label, reduction="none")
        soft = softened_divergence(logits, self.upsampled(taught, label), self.temperature)
        return hard, torch.lerp(hard, soft, self.soft)


build = Distillation
