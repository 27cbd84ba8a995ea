"""The student learns a finished network of any size: its predictions, softened, and its labels, on augmented images.

Equation: `mean_p w_p [(1 - s) CE(z, argmax z') + s T^2 KL(softmax(z' / T) | softmax(z / T))]` over target images. `z`
are the student's logits of the augmented image, `z'` those of the plain image by the judge, a frozen encoder and head
of another stage; `w` is as in `self_training`, 1 everywhere at threshold 0. Where a source image is pasted, `CE(z, c)`
of its label takes the place of the bracket. With `source`, plus `mean_p` of the bracket over plain source images. With
`class_weights`, `w` has the class weight of `argmax z'` as a factor: a finished network cannot collapse by its labels.
Source: Hinton et al. 2015, section 2, the softened loss; DUDA (2025, arXiv 2504.09814), a small network that learns
labels and softened predictions of a large adapted one, on both domains. Ours: mixing, after DACS, and a student whose
images are smaller than the judge's.
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
from segda.objectives.pseudo_label_term import PseudoLabels
from segda.objectives.reduced import reduced_image, reduced_map


@dataclass(frozen=True)
class Distillation(MixingTerm):
    """The student's loss against another stage's finished network; other options as in `MixingTerm`.

    Attributes:
        class_weights: all pixels weigh as much as `task.class_weights` says, by true label where pasted, else by the
            judge's.
        threshold: confidence above which a pixel is trusted; at 0 all are.
        soft: share of the softened predictions in the loss; the rest is of the labels.
        temperature: what the logits of both are divided by.
        source: learn the judge's predictions on source images, too.
        student_scale: the student sees images at this share of the height and width at which the judge sees them.
    """

    TAUGHT_BY: ClassVar[Literal["teacher", "judge"]] = "judge"

    threshold: float = 0.0
    soft: float = 0.5
    temperature: float = 2.0
    source: bool = False
    student_scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.soft <= 1:
            raise ConfigError(f"terms.distillation.soft: found {self.soft}, expected a share from 0 to 1")
        if not 0 < self.student_scale <= 1:
            raise ConfigError(
                f"terms.distillation.student_scale: found {self.student_scale}, expected a share above 0, at most 1"
            )
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.distillation.temperature: found {self.temperature}, expected a finite number above 0"
            )

    def needs(self) -> set[str]:
        """As any term that mixes, and labels for every pixel for smaller images."""
        return super().needs() | ({"label_map"} if self.student_scale != 1 else set())

    def generator(self, p: ForwardPass) -> Tensor:
        """The loss on augmented target images, and on source images by option."""
        label, weight = self.pseudo_labels(p)
        taught = PseudoLabels(label, weight * self.class_weight(p, label, weight))
        mixed, scale = self.mixed(p, taught), self.student_scale
        label, weight, pasted = (reduced_map(each, scale) for each in (mixed.label, mixed.weight, mixed.pasted))
        logits = p.predict(self.augmented(p, reduced_image(mixed.image, scale)), "target")
        hard, both = self._of_pixels(logits, self.taught_logits(p), label)
        loss = (weight * torch.where(pasted, hard, both)).mean()
        return loss + self._on_source(p) if self.source else loss

    def _on_source(self, p: ForwardPass) -> Tensor:
        image = p.image("source")
        seen = reduced_image(image, self.student_scale)
        with torch.no_grad():
            taught = p.judge_logits("distillation, source", image, "source")
            label = self.upsampled(taught, seen).argmax(dim=1)
        logits = p.logits("source") if self.student_scale == 1 else p.predict(seen, "source")
        return self._of_pixels(logits, taught, label)[1].mean()

    def _of_pixels(self, logits: Tensor, taught: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each pixel, `[B, H, W]`: of its label alone, and of its label and the softened prediction."""
        logits = self.upsampled(logits, label)
        hard = functional.cross_entropy(logits, label, reduction="none")
        soft = softened_divergence(logits, self.upsampled(taught, label), self.temperature)
        return hard, torch.lerp(hard, soft, self.soft)


build = Distillation
