"""A translated source image equals its counterpart in the target domain.

Equation: `L1 = mean |y_i - g_t(f_s(x_i))|`, where `y_i` is the counterpart of `x_i`.
Source: Isola et al. 2017 (pix2pix), equation 3, weight 100 relative to the adversarial loss.
**Gradients:** source encoder and target decoder.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.losses.reconstruction import ReconstructionLoss, reconstruction
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.paired_images import counterpart
from segda.objectives.term import Term


@dataclass(frozen=True)
class PairedReconstruction(Term):
    """Difference between translated source images and their counterparts.

    Attributes:
        loss: absolute (`l1`, the paper's) or squared difference.
    """

    loss: ReconstructionLoss = "l1"

    def needs(self) -> set[str]:
        """Encoder, target decoder, and data in pairs."""
        return {"encoder", "decoder.target", "pairs"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The mean difference."""
        return reconstruction(p.translated("source"), counterpart(p), self.loss)


build = PairedReconstruction
