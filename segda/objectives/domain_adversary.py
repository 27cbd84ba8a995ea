"""A domain discriminator against the encoder, with alternating updates or gradient reversal."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from segda.batch import Domain
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.networks.layers.gradient_reversal import reverse_gradient
from segda.objectives.adversarial_term import AdversarialTerm, Scored
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.weight import dann_schedule


@dataclass(frozen=True)
class DomainAdversary(AdversarialTerm):
    """Source is real, target is fake. A subclass names the discriminator and defines its input.

    Attributes:
        update: `alternating` updates, or gradient `reversal`, where the discriminator trains in the generators' step
            and `weight` scales its gradient as well. Under reversal `minimax` and `bce` are the same.
        fool: which features adapt: `target` only; `both`, with inverted domain labels; `confusion`, both, by the mean
            of the loss with right and with inverted labels; or `uniform`, both, by the cross entropy with (1/2, 1/2).
            Reversal takes `target` or `both`.
        strength: of the reversed gradient: `constant` 1, or `dann`, which grows from 0 to 1 over training.
    """

    update: Literal["alternating", "reversal"] = "alternating"
    fool: Literal["target", "both", "confusion", "uniform"] = "target"
    strength: Literal["constant", "dann"] = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        name = self.yaml_name()
        if self.update == "reversal" and self.fool in ("confusion", "uniform"):
            raise ConfigError(
                f"{name}: fool is {self.fool!r} under update 'reversal'; use 'target' or 'both', "
                "or update 'alternating'"
            )
        if self.update == "reversal" and self.loss == "wgan":
            raise ConfigError(
                f"{name}: loss 'wgan' clips a discriminator that is updated by itself, update 'reversal' has none; "
                "use loss 'wgan_gp', or update 'alternating'"
            )
        if self.update == "alternating" and self.strength != "constant":
            raise ConfigError(f"{name}.strength: only update 'reversal' takes it; give `weight` a ramp instead")
        if self.fool == "uniform" and self.loss not in ("minimax", "bce"):
            raise ConfigError(f"{name}: fool 'uniform' needs probabilities, loss {self.loss!r} has none; use 'bce'")
        if self.fool == "confusion" and self.family() == "wgan":
            raise ConfigError(f"{name}: fool 'confusion' vanishes under loss {self.loss!r}; use 'bce' or 'lsgan'")

    def discriminator_name(self) -> str:
        """The discriminator's name, without `discriminator.`."""
        raise TypeError(f"{type(self).__name__} does not define discriminator_name")

    def discriminator_input(self, p: ForwardPass, domain: Domain) -> Tensor:
        """The discriminator's input for a domain's images, `[B, C, h, w]`, with gradient."""
        raise TypeError(f"{type(self).__name__} does not define discriminator_input")

    def sample_weight(self, p: ForwardPass, domain: Domain, score: Tensor) -> Tensor | None:
        """A factor for each of a domain's scores, without gradient; `None` for 1."""
        return None

    def generator(self, p: ForwardPass) -> Tensor:
        """The encoder's loss; under reversal also the discriminator's."""
        if self.update == "reversal":
            return self._discriminator_loss(p, self._reversed(p, "source"), self._reversed(p, "target"))
        target = self._attached(p, "target")
        if self.fool == "target":
            return self.generator_loss(target, self.sample_weight(p, "target", target))
        source = self._attached(p, "source")
        if self.fool == "both":
            weights = self.sample_weight(p, "source", source), self.sample_weight(p, "target", target)
            return adversarial.inverted(source, target, self.family(), *weights)
        if self.fool == "uniform":
            return adversarial.uniform_cross_entropy(source, target)
        return adversarial.confusion(source, target, self.family())

    def discriminator(self, p: ForwardPass) -> Tensor | None:
        """Source is real, target is fake; `None` under reversal."""
        if self.update == "reversal":
            return None
        return self._discriminator_loss(p, self._detached(p, "source"), self._detached(p, "target"))

    def joint_discriminators(self) -> set[str]:
        """The discriminator, under reversal."""
        return {f"discriminator.{self.discriminator_name()}"} if self.update == "reversal" else set()

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy, 0.5 by chance, or a critic's estimate of the distance."""
        score = self._reversed if self.update == "reversal" else self._detached
        return self.measure(score(p, "source"), score(p, "target"))

    def _discriminator_loss(self, p: ForwardPass, source: Tensor, target: Tensor) -> Tensor:
        """The discriminator's loss; penalties are taken at detached samples, so that they train nothing else."""
        return self.discriminator_loss(
            Scored(self.discriminator_input(p, "source").detach(), source, self.sample_weight(p, "source", source)),
            Scored(self.discriminator_input(p, "target").detach(), target, self.sample_weight(p, "target", target)),
            lambda x: p.realness(self.discriminator_name(), x),
            lambda: p.uniform(f"gradient_penalty/{self.discriminator_name()}", "source"),
        )

    def _attached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return self._scores(p, domain, self.discriminator_input(p, domain))

    def _detached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return self._scores(p, f"{domain}, detached", self.discriminator_input(p, domain).detach())

    def _reversed(self, p: ForwardPass, domain: Domain) -> Tensor:
        if domain == "source" and self.fool == "target":
            return self._detached(p, domain)
        strength = dann_schedule(p.progress) if self.strength == "dann" else 1.0
        x = reverse_gradient(self.discriminator_input(p, domain), strength)
        return self._scores(p, f"{domain}, reversed", x)

    def _scores(self, p: ForwardPass, name: str, x: Tensor) -> Tensor:
        return p.discriminate(self.discriminator_name(), name, x).realness
