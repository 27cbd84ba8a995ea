"""Pseudo-labels: the student learns a teacher's predictions on target images, augmented and mixed with source images.

Equation: `mean_p w_p CE(h(f_t(A(M x_s + (1 - M) x_t))), M c + (1 - M) argmax h'(f'_t(x_t)))`. `'` marks the teacher,
`A` is strong augmentation, `M` the mask of the pasted classes; `w` is 1 where pasted and elsewhere the share of the
target image's pixels whose confidence is above the threshold.
Source: Tranheden et al. 2021 (DACS), with mixing; French et al. 2018 (self-ensembling), the teacher; Hoyer et al. 2022
(DAFormer), rows without pseudo-labels. Our choices: the share is each image's own, not the batch's, so that it does not
depend on how a batch is split; weaker hue jitter than DACS. Classification of whole images sets `mix: false`, and `w`
is 1 or 0.
**Gradients:** head and target encoder, through the augmented image only; none to the teacher.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.losses.supervised import weighted_cross_entropy
from segda.objectives.class_mix import class_mix_mask
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term
from segda.seeds import derive_seed


@dataclass(frozen=True)
class SelfTraining(Term):
    """Cross entropy of the student on target images against pseudo-labels.

    Attributes:
        threshold: confidence above which a pixel is trusted.
        mix: paste half of the source image's classes, with its labels, onto the target image.
        jitter: strength of the student's colour jitter: brightness, contrast and saturation change by up to this share,
            hue by up to a fifth of it in turns; 0 for none.
        blur: largest standard deviation of the student's Gaussian blur, in pixels; 0 for none.
        ignore_top: share of the target image's rows, from the top, without pseudo-labels.
        ignore_bottom: the same from the bottom, where the camera's own car is visible.
    """

    threshold: float = 0.968
    mix: bool = True
    jitter: float = 0.2
    blur: float = 1.0
    ignore_top: float = 0.0
    ignore_bottom: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise ConfigError(
                f"terms.self_training.threshold: found {self.threshold}, expected a confidence of at least 0, below 1"
            )
        if not (self.ignore_top >= 0 and self.ignore_bottom >= 0 and self.ignore_top + self.ignore_bottom < 1):
            raise ConfigError(
                f"terms.self_training: found ignore_top {self.ignore_top}, ignore_bottom {self.ignore_bottom}; "
                "expected shares of the rows, at least 0, that leave some rows"
            )

    def needs(self) -> set[str]:
        """Encoder, head and teacher; labels for every pixel for mixing and for ignored rows."""
        pixels = self.mix or self.ignore_top or self.ignore_bottom
        return {"encoder", "head", "teacher"} | ({"label_map"} if pixels else set())

    def generator(self, p: ForwardPass) -> Tensor:
        """The student's weighted cross entropy on augmented target images."""
        image = p.image("target")
        label, weight = self._pseudo_labels(p)
        if self.mix:
            image, label, weight = self._mixed(p, label, weight)
        logits = p.predict(self._augmented(p, image), "target")
        logits = functional.interpolate(logits, size=label.shape[-2:], mode="bilinear", align_corners=False)
        return weighted_cross_entropy(logits, label, weight)

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The share of trusted pixels."""
        return {"trusted": self._confidence(p)[1].mean()}

    def _confidence(self, p: ForwardPass) -> tuple[Tensor, Tensor]:
        """The teacher's labels `[B, H, W]` and each image's share of trusted pixels `[B]`."""
        size = p.image("target").shape[-2:]

        def compute() -> tuple[Tensor, Tensor]:
            logits = functional.interpolate(p.teacher_logits(), size=size, mode="bilinear", align_corners=False)
            confidence, label = logits.softmax(dim=1).max(dim=1)
            return label, (confidence > self.threshold).to(logits).flatten(1).mean(dim=1)

        return p.once(("self_training", "pseudo-labels"), compute)

    def _pseudo_labels(self, p: ForwardPass) -> tuple[Tensor, Tensor]:
        label, share = self._confidence(p)
        height = label.shape[-2]
        weight = share[:, None, None].expand(label.shape).clone()
        weight[:, : round(height * self.ignore_top)] = 0
        weight[:, height - round(height * self.ignore_bottom) :] = 0
        return label, weight

    def _mixed(self, p: ForwardPass, label: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        source, source_label, target = p.image("source"), p.label(), p.image("target")
        if source.shape != target.shape or source_label.shape != label.shape:
            raise ConfigError(
                f"terms.self_training.mix: source images {tuple(source.shape)} with labels {tuple(source_label.shape)} "
                f"cannot be pasted onto target images {tuple(target.shape)}; use equal crops and batch sizes"
            )
        mask = class_mix_mask(source_label, p.samples("source").position, p.seed, p.teacher_logits().shape[1])
        return (
            torch.where(mask[:, None], source, target),
            torch.where(mask, source_label, label),
            torch.where(mask, torch.ones_like(weight), weight),
        )

    def _augmented(self, p: ForwardPass, image: Tensor) -> Tensor:
        if not self.jitter and not self.blur:
            return image
        from segda.data.augmentation.photometry import Photometry  # imports kornia

        photometry = Photometry(
            brightness=self.jitter, contrast=self.jitter, saturation=self.jitter, hue=self.jitter / 5, blur=self.blur
        )
        with torch.no_grad():
            return photometry(image, p.samples("target").position, derive_seed(p.seed, "self_training"))


build = SelfTraining
