"""What terms share that paste classes of labelled source images onto target images with pseudo-labels."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from segda.batch import moved
from segda.errors import ConfigError
from segda.objectives.class_mix import class_mix_mask
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.pseudo_label_term import PseudoLabels, PseudoLabelTerm


class Mixed(NamedTuple):
    """Target images, onto which source images may have been pasted.

    Attributes:
        image: `[B, 3, H, W]` in `[-1, 1]`, not yet augmented.
        label: int64 `[B, H, W]`.
        weight: `[B, H, W]`, at least 0.
        pasted: bool `[B, H, W]`, where the image and its label are the source's.
    """

    image: Tensor
    label: Tensor
    weight: Tensor
    pasted: Tensor


@dataclass(frozen=True)
class MixingTerm(PseudoLabelTerm):
    """A term whose student may see source pixels with their true labels beside pseudo-labels.

    Attributes:
        mix: paste half of the source image's classes, with its labels, onto the target image.
        classes: half of which classes: those of each `image`, or those of the whole `batch`, over all processes but not
            over micro-batches, of which each image pastes what it has.
        class_weights: pasted pixels, whose labels are true, weigh as much as `task.class_weights` says, others do not.
    """

    mix: bool = True
    classes: Literal["image", "batch"] = "image"
    class_weights: bool = False

    def needs(self) -> set[str]:
        """As any term of pseudo-labels, and labels for every pixel for mixing."""
        return super().needs() | ({"label_map"} if self.mix else set())

    def mixed(self, p: ForwardPass, taught: PseudoLabels) -> Mixed:
        """The target images with what is pasted; the images themselves under `mix: false`.

        Raises:
            ConfigError: crops or batch sizes of source and target differ, or the task has no weights to apply.
        """
        target, (label, weight) = p.image("target"), taught
        if not self.mix:
            return Mixed(target, label, weight, torch.zeros_like(label, dtype=torch.bool))
        source, true = p.image("source"), p.label()
        if source.shape != target.shape or true.shape != label.shape:
            raise ConfigError(
                f"{self.yaml_name()}.mix: source images {tuple(source.shape)} with labels {tuple(true.shape)} "
                f"cannot be pasted onto target images {tuple(target.shape)}; use equal crops and batch sizes"
            )
        mask = class_mix_mask(
            true, p.samples("source").position, p.seed, int(self.taught_logits(p).shape[1]),
            gather=p.gather if self.classes == "batch" else None,
        )  # fmt: skip
        return Mixed(
            torch.where(mask[:, None], source, target),
            torch.where(mask, true, label),
            torch.where(mask, self.class_weight(p, true.where(mask, 0), weight), weight),
            mask,
        )

    def class_weight(self, p: ForwardPass, label: Tensor, like: Tensor) -> Tensor:
        """With `class_weights`, the weight of each pixel's class; else 1. As `like`, which has the shape of `label`."""
        if not self.class_weights:
            return torch.ones_like(like)
        if p.task.class_weights is None:
            raise ConfigError(f"{self.yaml_name()}.class_weights: the task has none; give `task.class_weights`")
        return moved(torch.tensor(p.task.class_weights), like.device).to(like.dtype)[label]
