"""Features of the two domains become indistinguishable to a discriminator that also sees the predicted classes.

Equation: `sum_i w_i l_a(d(p_i (x) z_i), c_s) + sum_j w_j l_a(d(p_j (x) z_j), c_t)`, `p = softmax(h(z))`, `(x)` the
outer product; `w = 1`, or with `entropy` `w = (1 + exp(-H(p))) / 2`: a sure prediction counts fully, others less.
Source: Long et al. 2018 (CDAN; CDAN+E with `entropy`), without the random projection that its code uses for large
products. The released code detaches the predictions, too. It scales `w` to mean 1 within a batch; we divide by the
weight of a sure prediction, so that nothing depends on how a batch is split, and keep `w` without gradient.
**Gradients:** both encoders (target alone with `fool: target`); the head only with `detach_predictions: false`. The
discriminator trains behind the reversal in the generators' own backward pass, or on detached tensors when alternating.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

from segda.batch import Domain
from segda.objectives.adversarial_term import AdversaryLoss
from segda.objectives.domain_adversary import DomainAdversary
from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class ConditionalAdversarial(DomainAdversary):
    """Adversarial alignment of features given predictions; options of its players as in `DomainAdversary`.

    Attributes:
        loss: cross entropy by default, the paper's.
        update: gradient reversal by default.
        fool: whose features adapt: `both` (the paper) or `target` alone.
        strength: of the reversed gradient; the paper's grows as DANN's does. Alternating players have `constant`.
        entropy: let samples whose prediction is sure count more.
        detach_predictions: keep gradients out of the predictions that the discriminator sees.
    """

    loss: AdversaryLoss = "bce"
    update: Literal["alternating", "reversal"] = "reversal"
    fool: Literal["target", "both"] = "both"
    strength: Literal["constant", "dann"] = "constant"
    entropy: bool = False
    detach_predictions: bool = True

    def needs(self) -> set[str]:
        """Encoder, head, and the discriminator of outer products."""
        return {"encoder", "head", "discriminator.conditional"}

    def judge(self) -> str:
        """`conditional`."""
        return "conditional"

    def seen(self, p: ForwardPass, domain: Domain) -> Tensor:
        """The outer product `[B, K * C, h, w]` at every place of z, channels by class first."""

        def compute() -> Tensor:
            z = p.z(domain)
            probabilities = _predictions(p, domain, z)
            if self.detach_predictions:
                probabilities = probabilities.detach()
            return (probabilities[:, :, None] * z[:, None]).flatten(1, 2)

        return p.once(("conditional_adversarial", domain), compute)

    def sample_weight(self, p: ForwardPass, domain: Domain, score: Tensor) -> Tensor | None:
        """The entropy weight `[B, 1, h, w]` at the scores' resolution, in `[1/2 + 1/(2K), 1]`."""
        if not self.entropy:
            return None
        probabilities = _predictions(p, domain, score).detach()
        entropy = -(probabilities * probabilities.clamp_min(1e-12).log()).sum(dim=1, keepdim=True)
        return (1 + (-entropy).exp()) / 2


def _predictions(p: ForwardPass, domain: Domain, like: Tensor) -> Tensor:
    """Class probabilities `[B, K, h, w]` averaged over the places of a map of another size."""
    height, width = like.shape[-2:]
    return functional.adaptive_avg_pool2d(p.probabilities(domain), (int(height), int(width)))


build = ConditionalAdversarial
