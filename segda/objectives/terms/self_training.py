"""Pseudo-labels: the student learns a teacher's predictions on target images, augmented and mixed with source images.

Equation: `mean_p w_p CE(h(f_t(A(M x_s + (1 - M) x_t))), M c + (1 - M) argmax h'(f'_t(x_t)))`. `'` marks the teacher,
`A` is strong augmentation, `M` the mask of the pasted classes; `w` is 1 where pasted and elsewhere the share of the
target image's pixels whose confidence is above the threshold.
Source: Tranheden et al. 2021 (DACS), with mixing; French et al. 2018 (self-ensembling), the teacher; Hoyer et al. 2022
(DAFormer), rows without pseudo-labels; Englert et al. 2024 (VFM-UDA), `flip` and columns without pseudo-labels. Our
choices, which options undo: the share is each image's own, not the batch's, and so are the classes, so that they do not
depend on how a batch is split; weaker hue jitter than DACS. `class_weights` is ours: class weights on pseudo-labels
let a teacher collapse, on true labels they do not. Classification of whole images sets `mix: false`, and `w` is 1 or 0.
**Gradients:** head and target encoder, through the augmented image only; none to the teacher.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.losses.supervised import weighted_cross_entropy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.mixing_term import MixingTerm


@dataclass(frozen=True)
class SelfTraining(MixingTerm):
    """Cross entropy of the student on target images against pseudo-labels; options as in `MixingTerm`."""

    def generator(self, p: ForwardPass) -> Tensor:
        """The student's weighted cross entropy on augmented target images."""
        image, label, weight, _ = self.mixed(p, self.pseudo_labels(p))
        logits = p.predict(self.augmented(p, image), "target")
        return weighted_cross_entropy(self.upsampled(logits, label), label, weight)


build = SelfTraining
