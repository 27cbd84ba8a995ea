"""Alignment of features by a discriminator of features and predicted classes.

Equation: `sum_i w_i l_a(d(p_i (x) z_i), c_s) + sum_j w_j l_a(d(p_j (x) z_j), c_t)`, `p = softmax(h(z))`, `(x)` the
outer product; `w = 1`, or with `entropy` `w = (1 + exp(-H(p))) / 2`: 1 for a certain prediction, less for others.
Source: Long et al. 2018 (CDAN; CDAN+E with `entropy`), without the random projection that its code uses for large
products. The released code detaches the predictions, too. It scales `w` to mean 1 within a batch; we divide by the
weight of a certain prediction, so that nothing depends on how a batch is split, and detach `w`.
**Gradients:** both encoders (target alone with `fool: target`); the head only with `detach_predictions: false`. The
discriminator trains in the generators' backward pass under reversal, or on detached tensors when alternating.
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
    """Adversarial alignment of features given predictions; other options as in `DomainAdversary`.

    Attributes:
        loss: cross entropy by default, the paper's.
        update: gradient reversal by default.
        fool: which features adapt: `both` (the paper) or `target` only.
        strength: of the reversed gradient; the paper's is `dann`. Alternating updates take `constant`.
        entropy: weight samples by the certainty of their prediction.
        detach_predictions: no gradient through the predictions in the discriminator's input.
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

    def discriminator_name(self) -> str:
        """`conditional`."""
        return "conditional"

    def discriminator_input(self, p: ForwardPass, domain: Domain) -> Tensor:
        """The outer product `[B, K * C, h, w]` at every position of z, channels by class first."""

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
    """Class probabilities `[B, K, h, w]`, averaged to the size of another map."""
    height, width = like.shape[-2:]
    return functional.adaptive_avg_pool2d(p.probabilities(domain), (int(height), int(width)))


build = ConditionalAdversarial
