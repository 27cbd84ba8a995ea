"""A frozen classifier predicts the same classes for an image before and after translation.

Equation: `sum over domains of CE(f_J(translated x), argmax f_J(x))`; `f_J` is the judge, a frozen encoder and head
that an earlier stage trained on source images.
Source: Hoffman et al. 2018 (CyCADA), equation 4; `source_labels: true` is the released code, which compares the
translated source image with its true label. Ours: the judge is trained beforehand, where the code trains it along and
drops the term while its loss is above 1.
**Gradients:** the encoder of the translated image and the decoder of the other domain; never the judge.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain
from segda.losses.supervised import cross_entropy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class SemanticConsistency(Term):
    """Cross entropy of the judge on translated images against its own predictions before translation.

    Attributes:
        source_labels: compare translated source images with their true labels instead of the judge's predictions.
    """

    source_labels: bool = False

    def needs(self) -> set[str]:
        """Encoder, both decoders and the judge."""
        return {"encoder", "decoder.source", "decoder.target", "judge"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over both directions."""
        after = self._after(p, "source")
        if self.source_labels:
            source = p.task.supervised_loss(after, p.label())
        else:
            source = cross_entropy(after, self._before(p, "source"))
        return source + cross_entropy(self._after(p, "target"), self._before(p, "target"))

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """For each direction the share of positions where the judge predicts the same class before and after."""
        return {
            f"{domain}_kept": (self._after(p, domain).argmax(dim=1) == self._before(p, domain)).float().mean()
            for domain in DOMAINS
        }

    # The judge is the source classifier for all four images. Its predictions have the resolution of its logits,
    # `[B, h, w]`, h = w = 1 in classification.

    def _before(self, p: ForwardPass, domain: Domain) -> Tensor:
        with torch.no_grad():
            return p.judge_logits(domain, p.image(domain), "source").argmax(dim=1)

    def _after(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.judge_logits(f"{domain}, translated", p.translated(domain), "source")


build = SemanticConsistency
