"""Image discriminators also segment, and translated images must still show their classes to them.

Equation: generators `CE(d_t_sem(g_t(f_s(x))), c) + CE(d_s_sem(g_s(f_t(g_t(f_s(x))))), c)`; discriminators
`CE(d_s_sem(x), c) + CE(d_t_sem(g_t(f_s(x))), c)`. Nothing is asked of target images, which have no labels.
Source: **our reconstruction** of Zama Ramirez et al. 2018 (IPAS); the paper's formulas are not known to us. That the
target's segmenting decoder learns from detached translated images is our choice: no other labelled image looks so.
**Gradients:** generators: both encoders and decoders, through the translated and the cycled source image.
Discriminators: real source images and detached translated ones.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.batch import Domain
from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.interfaces import DiscriminatorOutput
from segda.objectives.term import Term


@dataclass(frozen=True)
class SemanticDiscrimination(Term):
    """Semantic losses of both image discriminators' segmenting decoders."""

    def needs(self) -> set[str]:
        """Encoder, both decoders, both image discriminators with a segmenting decoder, labels for every pixel."""
        return {
            "encoder",
            "decoder.source",
            "decoder.target",
            "discriminator.source",
            "discriminator.target",
            "semantic",
            "label_map",
        }

    def generator(self, p: ForwardPass) -> Tensor:
        """The translated source image before `d_t`, the cycled one before `d_s`."""
        return self._loss(p, p.judged_translated("source"), "target") + self._loss(
            p, p.judged_cycled("source"), "source"
        )

    def discriminator(self, p: ForwardPass) -> Tensor:
        """The source image before `d_s`, the detached translated one before `d_t`."""
        return self._loss(p, p.judged_real("source"), "source") + self._loss(
            p, p.judged_translated_detached("source"), "target"
        )

    def _loss(self, p: ForwardPass, judgement: DiscriminatorOutput, discriminator: Domain) -> Tensor:
        if judgement.semantic is None:
            raise ConfigError(
                f"terms.semantic_discrimination: discriminator.{discriminator} does not segment; "
                "choose an image discriminator with a semantic decoder"
            )
        return p.task.supervised_loss(judgement.semantic, p.label())


build = SemanticDiscrimination
