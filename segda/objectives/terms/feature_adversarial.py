"""Alignment of features or predictions by a domain discriminator.

Equation: `Q_z = sum_i l_a(d_z(f_s(x_i)), c_s) + sum_j l_a(d_z(f_t(y_j)), c_t)`; source is "real".
Source: Murez et al. 2018 (I2I Adapt), equation 3; Hoffman et al. 2016 (`fool: confusion`); Tzeng et al. 2015 (`fool:
uniform`); Tzeng et al. 2017 (ADDA: `bce`, `fool: target`); Ganin et al. 2016 (`update: reversal`); Tsai et al. 2018
(`at: logits`); Vu et al. 2019 (`at: entropy`).
**Gradients:** the encoder through target images only (`fool: target`, as in the I2I paper, the default) or through
both; for logits and entropy the head, too. The discriminator trains on detached tensors when alternating, and in the
generators' backward pass under reversal.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from segda.batch import Domain
from segda.losses.entropy import self_information
from segda.objectives.domain_adversary import DomainAdversary
from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class FeatureAdversarial(DomainAdversary):
    """Adversarial alignment of features or of predictions; other options as in `DomainAdversary`.

    Attributes:
        at: the discriminator's input: `features` (the latent map), `logits` (class probabilities) or `entropy` (each
            class's share of the prediction's entropy).
    """

    at: Literal["features", "logits", "entropy"] = "features"

    def needs(self) -> set[str]:
        """Encoder, the discriminator, and the head for logits and entropy."""
        head = set() if self.at == "features" else {"head"}
        return {"encoder", f"discriminator.{self.discriminator_name()}"} | head

    def discriminator_name(self) -> str:
        """`feature`, or `logits` for both kinds of prediction."""
        return "feature" if self.at == "features" else "logits"

    def discriminator_input(self, p: ForwardPass, domain: Domain) -> Tensor:
        """Features, probabilities or self-information, by `at`."""
        if self.at == "features":
            return p.z(domain)
        convert = self_information if self.at == "entropy" else _probabilities
        return p.once(("feature_adversarial", self.at, domain), lambda: convert(p.logits(domain)))


def _probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


build = FeatureAdversarial
