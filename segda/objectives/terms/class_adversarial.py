"""Alignment of features class by class: the discriminator tells classes and domains apart together.

Equation: `a = min(softmax(h(z) / T), m)`, detached; the encoder descends `CE(D(z_t), [a_t, 0])`, the discriminator
`(CE(D(z_s), [a_s, 0]) + CE(D(z_t), [0, a_t])) / 2`; `D` has 2K outputs, each class as source and as target.
Source: Wang et al. 2020 (FADA, 2007.09222); T = 1.8 and m = 0.9 are those of the released code, as is T in the
supervised loss (`classification.temperature`). Ours: predictions are averaged to the resolution of D's output,
where the code enlarges both to the image's.
**Gradients:** the target encoder, through z alone. The discriminator trains on detached tensors.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain
from segda.errors import ConfigError
from segda.losses import adversarial
from segda.losses.soft_labels import soft_cross_entropy
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class ClassAdversarial(Term):
    """A discriminator of domains and classes against the encoder, with alternating updates.

    Attributes:
        temperature: divides the logits of the predictions that the discriminator learns.
        most: bound on each of their probabilities from above.
    """

    temperature: float = 1.8
    most: float = 0.9

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.class_adversarial.temperature: found {self.temperature}, expected a finite number above 0"
            )
        if not 0 < self.most <= 1:
            raise ConfigError(
                f"terms.class_adversarial.most: found {self.most}, expected a probability above 0, at most 1"
            )

    def needs(self) -> set[str]:
        """Encoder, head, and the discriminator of classes and domains."""
        return {"encoder", "head", "discriminator.class_feature"}

    def generator(self, p: ForwardPass) -> Tensor:
        """Target features are to be taken for source features of the classes that they are predicted as."""
        return self._loss(p, "target", "source", p.discriminate("class_feature", "target", p.z("target")))

    def discriminator(self, p: ForwardPass) -> Tensor:
        """Each domain's features are to be recognised as its own, and as the classes that they are predicted as."""
        source, target = (self._loss(p, domain, domain, self._detached(p, domain)) for domain in ("source", "target"))
        return (source + target) / 2

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """How well the discriminator tells the domains apart, whatever the class: accuracy, 0.5 by chance."""
        source, target = (self._detached(p, domain).realness for domain in ("source", "target"))
        return {
            "accuracy": adversarial.accuracy(source, target, "bce"),
            "advantage": adversarial.advantage(source, target, "bce"),
        }

    def _detached(self, p: ForwardPass, domain: Domain) -> DiscriminatorOutput:
        return p.discriminate("class_feature", f"{domain}, detached", p.z(domain).detach())

    def _loss(self, p: ForwardPass, domain: Domain, taken_for: Domain, output: DiscriminatorOutput) -> Tensor:
        """Cross entropy of the output for a domain's features with its predictions, as classes of `taken_for`."""
        if output.semantic is None:
            raise ConfigError(
                "terms.class_adversarial: discriminators.class_feature gives no classes; choose `name: class_feature`"
            )
        predicted = self._predicted(p, domain, output.semantic)
        nothing = torch.zeros_like(predicted)
        both = [predicted, nothing] if taken_for == "source" else [nothing, predicted]
        return soft_cross_entropy(output.semantic, torch.cat(both, dim=1))

    def _predicted(self, p: ForwardPass, domain: Domain, like: Tensor) -> Tensor:
        """The class probabilities `[B, K, h, w]` that the discriminator learns, at the size of its output."""

        def compute() -> Tensor:
            probabilities = (p.logits(domain).detach() / self.temperature).softmax(dim=1)
            size = (int(like.shape[-2]), int(like.shape[-1]))
            return functional.adaptive_avg_pool2d(probabilities, size).clamp(max=self.most)

        return p.once(("class_adversarial", domain), compute)


build = ClassAdversarial
