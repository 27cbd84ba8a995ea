"""Features of the two domains become indistinguishable to a discriminator.

Equation: `Q_z = sum_i l_a(d_z(f_s(x_i)), c_s) + sum_j l_a(d_z(f_t(y_j)), c_t)`; source is "real".
Source: Murez et al. 2018 (I2I Adapt), equation 3; Hoffman et al. 2016 (`fool: confusion`); Ganin et al. 2016
(`update: reversal`); Tsai et al. 2018 (`at: logits`); Vu et al. 2019 (`at: entropy`).
**Gradients:** the encoder through target images only (`fool: target`, the I2I paper's routing, and ours by default) or
through both; for logits and entropy the head, too. The discriminator trains on detached tensors when alternating, and
behind the reversal in the generators' own backward pass otherwise.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from segda.batch import Domain
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.losses.entropy import self_information
from segda.networks.layers.gradient_reversal import reverse_gradient
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term
from segda.objectives.weight import dann_schedule


@dataclass(frozen=True)
class FeatureAdversarial(Term):
    """Adversarial alignment of features or of predictions.

    Attributes:
        loss: least squares (the I2I paper's) or cross entropy.
        at: what the discriminator sees: `features` (the latent map), `logits` (class probabilities) or `entropy` (each
            class's share of the prediction's entropy).
        update: `alternating` players, or gradient `reversal`, where the discriminator trains in the generators' step
            and `weight` scales its own gradient, too.
        fool: whose features adapt: `target` alone; `both`, with inverted domains; or `confusion`, where both move to
            where the discriminator cannot tell. Reversal knows `target` and `both`.
        strength: of the reversed gradient: `constant` 1, or `dann`, which grows from 0 to 1 over training.
    """

    loss: Literal["lsgan", "bce"] = "lsgan"
    at: Literal["features", "logits", "entropy"] = "features"
    update: Literal["alternating", "reversal"] = "alternating"
    fool: Literal["target", "both", "confusion"] = "target"
    strength: Literal["constant", "dann"] = "constant"

    def __post_init__(self) -> None:
        if self.update == "reversal" and self.fool == "confusion":
            raise ConfigError(
                "terms.feature_adversarial: fool is 'confusion' under update 'reversal'; use 'target' or 'both', "
                "or update 'alternating'"
            )
        if self.update == "alternating" and self.strength != "constant":
            raise ConfigError(
                "terms.feature_adversarial.strength: only update 'reversal' has one; give `weight` a ramp instead"
            )

    def needs(self) -> set[str]:
        """Encoder, the discriminator, and the head unless features are judged."""
        head = set() if self.at == "features" else {"head"}
        return {"encoder", f"discriminator.{self._judge()}"} | head

    def generator(self, p: ForwardPass) -> Tensor:
        """The encoder's loss; under reversal also the discriminator's."""
        if self.update == "reversal":
            return adversarial.discriminator(self._reversed(p, "source"), self._reversed(p, "target"), self.loss)
        target = self._attached(p, "target")
        if self.fool == "target":
            return adversarial.generator(target, self.loss)
        source = self._attached(p, "source")
        if self.fool == "both":
            return adversarial.discriminator(target, source, self.loss)
        return adversarial.confusion(source, target, self.loss)

    def discriminator(self, p: ForwardPass) -> Tensor | None:
        """Source is real, target is fake; `None` under reversal."""
        if self.update == "reversal":
            return None
        return adversarial.discriminator(self._detached(p, "source"), self._detached(p, "target"), self.loss)

    def joint_discriminators(self) -> set[str]:
        """The discriminator, under reversal."""
        return {f"discriminator.{self._judge()}"} if self.update == "reversal" else set()

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy, 0.5 where it cannot tell."""
        score = self._reversed if self.update == "reversal" else self._detached
        return {"accuracy": adversarial.accuracy(score(p, "source"), score(p, "target"), self.loss)}

    def _judge(self) -> str:
        return "feature" if self.at == "features" else "logits"

    def _judged(self, p: ForwardPass, domain: Domain) -> Tensor:
        if self.at == "features":
            return p.z(domain)
        convert = self_information if self.at == "entropy" else _probabilities
        return p.once(("feature_adversarial", self.at, domain), lambda: convert(p.logits(domain)))

    def _attached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.judged(self._judge(), domain, self._judged(p, domain)).realness

    def _detached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.judged(self._judge(), f"{domain}, detached", self._judged(p, domain).detach()).realness

    def _reversed(self, p: ForwardPass, domain: Domain) -> Tensor:
        if domain == "source" and self.fool == "target":
            return self._detached(p, domain)
        strength = dann_schedule(p.progress) if self.strength == "dann" else 1.0
        x = reverse_gradient(self._judged(p, domain), strength)
        return p.judged(self._judge(), f"{domain}, reversed", x).realness


def _probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


build = FeatureAdversarial
