"""A place of the translated image shows what the same place of the original shows, and no other place of it does.

Equation: mean over the listed domains, the encoder's maps `l` and `patches` places `i` of
`-log(exp(q_li k_li / t) / sum_j exp(q_li k_lj / t))`, where `q_l = F_l(f_l(g_t(f(x))))` and `k_l = F_l(f_l(x))`:
`f_l` are the maps of the translator's own encoder, the image itself among them, and `F` projects to unit vectors. For
the target `x` is a target image, which the translator should leave as it is.
With `flip`, the keys of half of the images are those of the mirrored image, mirrored back.
Source: Park et al. 2020 (CUT), equations 3 to 5 (PatchNCE) and, for `flip`, its FastCUT. The paper mirrors the
translator's input and then the features of the translation; we mirror the original's, which is the same up to the
direction that the image had in the data and translates each image once.
**Gradients:** projection, source encoder and target decoder, through the translated image. Keys get none.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from segda.batch import DOMAINS, Domain, moved
from segda.errors import ConfigError
from segda.losses.contrastive import patch_contrast
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class PatchContrast(Term):
    """Contrast between places of translated images and of their originals.

    Attributes:
        domains: whose images are put through the translator to the target.
        patches: number of places drawn on each map, all of a smaller one.
        temperature: divides the products of unit vectors.
        flip: mirror the originals of half of the images, so that the translator learns to commute with mirroring.
    """

    domains: tuple[Domain, ...] = DOMAINS
    patches: int = 256
    temperature: float = 0.07
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.domains:
            raise ConfigError("terms.patch_contrast.domains: empty; list source, target or both")
        if self.patches < 2:
            raise ConfigError(f"terms.patch_contrast.patches: found {self.patches}, expected at least 2")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.patch_contrast.temperature: found {self.temperature}, expected a finite number above 0"
            )

    def needs(self) -> set[str]:
        """Encoder, target decoder and the projection."""
        return {"encoder", "decoder.target", "projection"}

    def generator(self, p: ForwardPass) -> Tensor:
        """The mean over the listed domains and the encoder's maps."""
        return torch.stack([self._contrast(p, domain) for domain in self.domains]).mean()

    def _contrast(self, p: ForwardPass, domain: Domain) -> Tensor:
        translated = p.translated("source") if domain == "source" else p.reconstructed_through_other("target")
        features = p.encode(translated, "source")
        places = [
            p.places(f"patch_contrast/{level}", domain, self.patches, x.shape[-2] * x.shape[-1])
            for level, x in enumerate(features)
        ]
        queries = p.project(_at(features, places))
        with torch.no_grad():
            keys = p.project(_at(self._originals(p, domain), places))
        losses = [patch_contrast(query, key, self.temperature) for query, key in zip(queries, keys, strict=True)]
        return torch.stack(losses).mean()

    def _originals(self, p: ForwardPass, domain: Domain) -> list[Tensor]:
        """The maps of the images themselves, by the encoder that the translator begins with."""
        if not self.flip:
            return p.features(domain) if p.networks.tied else p.encode(p.image(domain), "source")
        image = p.image(domain)
        mirrored = moved(p.uniform("patch_contrast/flip", domain) < 0.5, image.device).view(-1, 1, 1, 1)
        features = p.encode(torch.where(mirrored, image.flip(-1), image), "source")
        return [torch.where(mirrored, x.flip(-1), x) for x in features]


def _at(features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
    """The features `[B, N, C]` at some places of every map `[B, C, h, w]`, which are counted row by row."""
    return [
        x.flatten(2).gather(2, chosen[:, None].expand(-1, x.shape[1], -1)).transpose(1, 2)
        for x, chosen in zip(features, places, strict=True)
    ]


build = PatchContrast
