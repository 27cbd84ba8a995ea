"""Supervised loss on source images.

Equation: `Q_c = sum_i l_c(h(f_s(x_i)), c_i)`.
Source: Murez et al. 2018 (I2I Adapt), equation 1.
**Gradients:** head and source encoder.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class Classification(Term):
    """Supervised loss of the head on source images."""

    def needs(self) -> set[str]:
        """Encoder and head."""
        return {"encoder", "head"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The task's supervised loss of the source logits."""
        return p.task.supervised_loss(p.logits("source"), p.label())


build = Classification
