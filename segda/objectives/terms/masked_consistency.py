"""Predictions on target images of which most is hidden: the student infers what a teacher sees in the whole image.

Equation: `mean_p w_p CE(h(f_t(M A(x_t) + (1 - M) m)), argmax h'(f'_t(x_t)))`. `'` marks the teacher, `A` is strong
augmentation, `M` keeps each block of a grid with probability `1 - ratio`, `m` is the encoder's mean colour; `w` is the
share of the image's pixels whose confidence is above the threshold.
Source: Hoyer et al. 2023 (MIC). For whole images, its released code weights by `probability`. Ours:
a block's side is a share of the image's shorter side; the authors' 64 pixels are 1/16 of their 1024.
**Gradients:** head and target encoder, through the masked image only; none to the teacher.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from segda.batch import moved
from segda.errors import ConfigError
from segda.losses.supervised import weighted_cross_entropy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.pseudo_label_term import PseudoLabelTerm


@dataclass(frozen=True)
class MaskedConsistency(PseudoLabelTerm):
    """Cross entropy of the student on masked target images; other options as in `PseudoLabelTerm`.

    Attributes:
        ratio: probability with which a block is hidden.
        block: a block's side, as a share of the image's shorter side, above 0 and at most 1.
    """

    ratio: float = 0.7
    block: float = 1 / 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ratio < 1:
            raise ConfigError(
                f"terms.masked_consistency.ratio: found {self.ratio}, expected a probability of at least 0, below 1"
            )
        if not 0 < self.block <= 1:
            raise ConfigError(
                f"terms.masked_consistency.block: found {self.block}, expected a share above 0 and at most 1"
            )

    def generator(self, p: ForwardPass) -> Tensor:
        """The student's weighted cross entropy on masked target images."""
        label, weight = self.pseudo_labels(p)
        image = self.augmented(p, p.image("target"))
        logits = p.predict(p.networks.masked(image, self._kept(p), "target"), "target")
        return weighted_cross_entropy(self.upsampled(logits, label), label, weight)

    def _kept(self, p: ForwardPass) -> Tensor:
        """Where the student sees the image: bool `[B, 1, H, W]`."""
        image = p.image("target")
        height, width = int(image.shape[-2]), int(image.shape[-1])
        side = self.block * min(height, width)
        grid = (max(1, round(height / side)), max(1, round(width / side)))
        kept = p.uniform("masked_consistency", "target", (1, *grid)) >= self.ratio
        whole = functional.interpolate(kept.float(), size=(height, width), mode="nearest")
        return moved(whole.bool(), image.device)


build = MaskedConsistency
