"""A discriminator that tells source from target by what the encoder makes of them, by turns or by gradient reversal."""

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
    """Source is real, target is fake. A subclass says which discriminator sees what of an image.

    Attributes:
        update: `alternating` players, or gradient `reversal`, where the discriminator trains in the generators' step
            and `weight` scales its own gradient, too. Under reversal `minimax` and `bce` are the same.
        fool: whose features adapt: `target` alone; `both`, with inverted domains; `confusion`, where both move to
            where the discriminator cannot tell; or `uniform`, where both move to the verdict (1/2, 1/2). Reversal knows
            `target` and `both`.
        strength: of the reversed gradient: `constant` 1, or `dann`, which grows from 0 to 1 over training.
    """

    update: Literal["alternating", "reversal"] = "alternating"
    fool: Literal["target", "both", "confusion", "uniform"] = "target"
    strength: Literal["constant", "dann"] = "constant"

    def __post_init__(self) -> None:
        """Refuse combinations without sense.

        Raises:
            ConfigError: names the option.
        """
        super().__post_init__()
        name = self.yaml_name()
        if self.update == "reversal" and self.fool in ("confusion", "uniform"):
            raise ConfigError(
                f"{name}: fool is {self.fool!r} under update 'reversal'; use 'target' or 'both', "
                "or update 'alternating'"
            )
        if self.update == "reversal" and self.loss == "wgan":
            raise ConfigError(
                f"{name}: loss 'wgan' clips a discriminator of its own, which update 'reversal' has not; "
                "use loss 'wgan_gp', or update 'alternating'"
            )
        if self.update == "alternating" and self.strength != "constant":
            raise ConfigError(f"{name}.strength: only update 'reversal' has one; give `weight` a ramp instead")
        if self.fool == "uniform" and self.loss not in ("minimax", "bce"):
            raise ConfigError(f"{name}: fool 'uniform' asks for probabilities, loss {self.loss!r} has none; use 'bce'")
        if self.fool == "confusion" and self.family() == "wgan":
            raise ConfigError(f"{name}: fool 'confusion' vanishes under loss {self.loss!r}; use 'bce' or 'lsgan'")

    def judge(self) -> str:
        """The discriminator's name, without `discriminator.`."""
        raise TypeError(f"{type(self).__name__} does not define judge(); a domain adversary must")

    def seen(self, p: ForwardPass, domain: Domain) -> Tensor:
        """What it sees of a domain's images, `[B, C, h, w]`, with gradient to the networks that made it."""
        raise TypeError(f"{type(self).__name__} does not define seen(p, domain); a domain adversary must")

    def sample_weight(self, p: ForwardPass, domain: Domain, score: Tensor) -> Tensor | None:
        """A factor for each of a domain's scores, without gradient; 1 for all unless a subclass says otherwise."""
        return None

    def generator(self, p: ForwardPass) -> Tensor:
        """The encoder's loss; under reversal also the discriminator's."""
        if self.update == "reversal":
            return self._telling_apart(p, self._reversed(p, "source"), self._reversed(p, "target"))
        target = self._attached(p, "target")
        if self.fool == "target":
            return self.generator_loss(target, self.sample_weight(p, "target", target))
        source = self._attached(p, "source")
        if self.fool == "both":
            trust = self.sample_weight(p, "source", source), self.sample_weight(p, "target", target)
            return adversarial.inverted(source, target, self.family(), *trust)
        if self.fool == "uniform":
            return adversarial.uniform_verdict(source, target)
        return adversarial.confusion(source, target, self.family())

    def discriminator(self, p: ForwardPass) -> Tensor | None:
        """Source is real, target is fake; `None` under reversal."""
        if self.update == "reversal":
            return None
        return self._telling_apart(p, self._detached(p, "source"), self._detached(p, "target"))

    def joint_discriminators(self) -> set[str]:
        """The discriminator, under reversal."""
        return {f"discriminator.{self.judge()}"} if self.update == "reversal" else set()

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy, 0.5 where it cannot tell; a critic's estimate of the distance."""
        score = self._reversed if self.update == "reversal" else self._detached
        return self.measure(score(p, "source"), score(p, "target"))

    def _telling_apart(self, p: ForwardPass, source: Tensor, target: Tensor) -> Tensor:
        """The discriminator's side; penalties at detached samples, so that they reach nothing but it."""
        return self.discriminator_loss(
            Scored(self.seen(p, "source").detach(), source, self.sample_weight(p, "source", source)),
            Scored(self.seen(p, "target").detach(), target, self.sample_weight(p, "target", target)),
            lambda x: p.realness(self.judge(), x),
            lambda: p.uniform(f"gradient_penalty/{self.judge()}", "source"),
        )

    def _attached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.judged(self.judge(), domain, self.seen(p, domain)).realness

    def _detached(self, p: ForwardPass, domain: Domain) -> Tensor:
        return p.judged(self.judge(), f"{domain}, detached", self.seen(p, domain).detach()).realness

    def _reversed(self, p: ForwardPass, domain: Domain) -> Tensor:
        if domain == "source" and self.fool == "target":
            return self._detached(p, domain)
        strength = dann_schedule(p.progress) if self.strength == "dann" else 1.0
        x = reverse_gradient(self.seen(p, domain), strength)
        return p.judged(self.judge(), f"{domain}, reversed", x).realness
