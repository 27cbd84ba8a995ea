"""The head classifies translated source images by their source labels.

Equation: `Q_trc = sum_i l_c(h(f_t(g_t(f_s(x_i)))), c_i)`.
Source: Murez et al. 2018 (I2I Adapt), equation 6 and section 5.3.
**Gradients:** with `stop_gradient` (the paper, for segmentation) the head and the second encoding `f_t` only, so that
the translator cannot hide labels in its images; otherwise also the first encoder and the target decoder.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class TranslatedClassification(Term):
    """Supervised loss on translated source images.

    Attributes:
        stop_gradient: detach the translated image.
    """

    stop_gradient: bool = True

    def needs(self) -> set[str]:
        """Encoder, head and target decoder."""
        return {"encoder", "head", "decoder.target"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The task's supervised loss of the translated source images."""
        return p.task.supervised_loss(p.logits_translated("source", self.stop_gradient), p.label())


build = TranslatedClassification
