"""A conditional discriminator of pairs: source image and translation against source image and counterpart.

Equation: `E log d(x, y) + E log(1 - d(x, g_t(f_s(x))))`, where `y` is the counterpart of `x`; `d` takes both images,
concatenated along channels.
Source: Isola et al. 2017 (pix2pix), equation 1, and released code: cross entropy, the discriminator's loss halved.
**Gradients:** source encoder and target decoder, through the translated image. The discriminator trains on detached
pairs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from segda.objectives.adversarial_term import AdversarialTerm, AdversaryLoss, Scored
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.paired_images import counterpart


@dataclass(frozen=True)
class PairedAdversarial(AdversarialTerm):
    """Adversarial loss of a translation given the source image.

    Attributes:
        loss: see `AdversarialTerm`; the paper's is `bce`.
    """

    loss: AdversaryLoss = "bce"

    def needs(self) -> set[str]:
        """Encoder, target decoder, the discriminator of pairs, and data in pairs."""
        return {"encoder", "decoder.target", "discriminator.pair", "pairs"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The generator's loss on the translated pair."""
        pair = torch.cat([p.image("source"), p.translated("source")], dim=1)
        return self.generator_loss(p.discriminate("pair", "translated", pair).realness)

    def discriminator(self, p: ForwardPass) -> Tensor:
        """Counterparts are real, detached translations fake."""
        return self.discriminator_loss(
            *self._scored(p), lambda x: p.realness("pair", x), lambda: p.uniform("paired_adversarial", "source")
        )

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminator's accuracy, 0.5 by chance."""
        real, fake = self._scored(p)
        return self.measure(real.score, fake.score)

    def _scored(self, p: ForwardPass) -> tuple[Scored, Scored]:
        source = p.image("source")
        real = torch.cat([source, counterpart(p)], dim=1)
        fake = torch.cat([source, p.translated("source").detach()], dim=1)
        return (
            Scored(real, p.discriminate("pair", "real", real).realness),
            Scored(fake, p.discriminate("pair", "translated, detached", fake).realness),
        )


build = PairedAdversarial
