"""Entropy minimisation on target images.

Equation: mean over pixels of `-sum_k p_k log p_k / log K`, `p = softmax(h(f_t(y)))`.
Source: Vu et al. 2019 (ADVENT), MinEnt; Grandvalet and Bengio 2005.
**Gradients:** head and target encoder.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.losses.entropy import entropy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class TargetEntropy(Term):
    """Entropy of the predictions on target images."""

    def needs(self) -> set[str]:
        """Encoder and head."""
        return {"encoder", "head"}

    def generator(self, p: ForwardPass) -> Tensor:
        """Mean normalised entropy, 0 certain to 1 uniform."""
        return entropy(p.logits("target"))


build = TargetEntropy
