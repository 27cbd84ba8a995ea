"""An image translated to the other domain and back equals the original.

Equation: `Q_cyc = sum_i l_id(g_s(f_t(g_t(f_s(x_i)))), x_i) + sum_j l_id(g_t(f_s(g_s(f_t(y_j)))), y_j)`.
Source: Murez et al. 2018 (I2I Adapt), equation 5; Zhu et al. 2017 (CycleGAN); `class_weighted`: our reconstruction of
Zama Ramirez et al. 2018, whose weight formula we do not have.
**Gradients:** both encoders and both decoders, through the translated image.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.losses.reconstruction import ReconstructionLoss, class_balance, reconstruction
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class Cycle(Term):
    """Cycle consistency in both directions.

    Attributes:
        loss: absolute (`l1`, the papers') or squared difference.
        class_weighted: weight every class of a source image equally, so that small objects survive translation; target
            images, which have no labels, have weight 1.
    """

    loss: ReconstructionLoss = "l1"
    class_weighted: bool = False

    def needs(self) -> set[str]:
        """Encoder and both decoders; labels for every pixel if `class_weighted`."""
        label_map = {"label_map"} if self.class_weighted else set()
        return {"encoder", "decoder.source", "decoder.target"} | label_map

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over both directions."""
        source = p.image("source")
        height, width = source.shape[-2:]
        weight = class_balance(p.label(), (height, width)) if self.class_weighted else None
        return reconstruction(p.cycled("source"), source, self.loss, weight) + reconstruction(
            p.cycled("target"), p.image("target"), self.loss
        )


build = Cycle
