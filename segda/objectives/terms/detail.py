"""The supervised loss of what a head of two scales says of the detail crop alone, so that its logits mean something.

Equation: `sum_i l_c(h(f_s(D_i x_i)), D_i c_i)`, `D_i` the crop of half the height and width drawn for an image.
Source: Hoyer et al., HRDA (arXiv:2204.13132), the loss of the detail crop: weight 0.1, and 0.9 for
`classification`, the loss of both scales together.
**Gradients:** head, but not its attention, and source encoder.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.networks.two_scales import cut
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class Detail(Term):
    """Supervised loss of the detail crops of source images."""

    def needs(self) -> set[str]:
        """Encoder, a head of two scales, and labels for every pixel to crop."""
        return {"encoder", "head", "detail", "label_map"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The task's supervised loss of the logits of the source's detail crops."""
        return p.task.supervised_loss(p.scales("source")[1], cut(p.label(), p.corners("source")))


build = Detail
