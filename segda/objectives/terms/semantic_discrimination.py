"""Image discriminators also segment, and must find a source image's labels in its translation.

Equation: generators `CE(d_t_sem(g_t(f_s(x))), c) + CE(d_s_sem(g_s(f_t(g_t(f_s(x))))), c)`; discriminators
`CE(d_s_sem(x), c) + CE(d_t_sem(g_t(f_s(x))), c)`. Target images, which have no labels, do not enter.
Source: **our reconstruction** of Zama Ramirez et al. 2018 (IPAS); we do not have the paper's formulas. That the
target's segmenting decoder learns from detached translated images is our choice: no other labelled images look like it.
**Gradients:** generators: both encoders and decoders, through the translated and the cycled source image.
Discriminators: real source images and detached translated ones.
"""

from dataclasses import dataclass

from torch import Tensor

from segda.batch import Domain
from segda.errors import ConfigError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class SemanticDiscrimination(Term):
    """Semantic losses of both image discriminators' segmenting decoders."""

    def needs(self) -> set[str]:
        """Encoder, both decoders, both image discriminators with a segmenting decoder, labels for every pixel."""
        translation = {"encoder", "decoder.source", "decoder.target"}
        return translation | {"discriminator.source", "discriminator.target", "semantic", "label_map"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The loss of the translated source image in `d_t`, and of the cycled one in `d_s`."""
        return self._loss(p, p.discriminate_translated("source"), "target") + self._loss(
            p, p.discriminate_cycled("source"), "source"
        )

    def discriminator(self, p: ForwardPass) -> Tensor:
        """The loss of the source image in `d_s`, and of the detached translated one in `d_t`."""
        return self._loss(p, p.discriminate_real("source"), "source") + self._loss(
            p, p.discriminate_translated_detached("source"), "target"
        )

    def _loss(self, p: ForwardPass, output: DiscriminatorOutput, discriminator: Domain) -> Tensor:
        if output.semantic is None:
            raise ConfigError(
                f"terms.semantic_discrimination: discriminator.{discriminator} does not segment; "
                "choose an image discriminator with a semantic decoder"
            )
        return p.task.supervised_loss(output.semantic, p.label())


build = SemanticDiscrimination
