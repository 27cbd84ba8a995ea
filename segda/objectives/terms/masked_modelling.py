"""Features that were masked are rebuilt from their surroundings, and classified by the head.

Equation: `mean_p w_p CE(h(R(f(x), M)), c)`: `R` replaces the positions `M` of the coarsest maps; for target images `c`
are the teacher's predictions and `w` the share of an image's pixels whose confidence is above the threshold, for source
images `c` are the labels, and the loss is the task's.
Source: Zhou et al. 2026 (MRM, 2509.13801): 40 % of the positions of a 16x16 grid, target images with pseudo-labels,
weight 1. **Our reading** of abstract and released rebuilder; the loss itself is not released. Ours: the plain target
image, not one mixed with source classes; a map that is smaller than the grid is its own grid.
**Gradients:** head, rebuilder, and the encoder of each listed domain; none to the teacher. The rebuilder is not
published.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Domain, moved
from segda.errors import ConfigError
from segda.losses.supervised import weighted_cross_entropy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class MaskedModelling(Term):
    """Supervised losses of features that are rebuilt where they were masked.

    Attributes:
        domains: whose images: of the target by pseudo-labels, of the source by labels.
        share: probability that a position is masked.
        grid: height and width, at most, of the grid of masked positions.
        threshold: confidence above which a pixel's pseudo-label is trusted.
    """

    domains: tuple[Domain, ...] = ("target",)
    share: float = 0.4
    grid: int = 16
    threshold: float = 0.968

    def __post_init__(self) -> None:
        if not self.domains:
            raise ConfigError("terms.masked_modelling.domains: empty; list source, target or both")
        if not 0 < self.share < 1:
            raise ConfigError(f"terms.masked_modelling.share: found {self.share}, expected a share between 0 and 1")
        if self.grid < 1:
            raise ConfigError(f"terms.masked_modelling.grid: found {self.grid}, expected at least 1")
        if not 0 <= self.threshold < 1:
            raise ConfigError(
                f"terms.masked_modelling.threshold: found {self.threshold}, expected a confidence in [0, 1)"
            )

    def needs(self) -> set[str]:
        """Encoder, head, rebuilder and labels for every pixel; the teacher for target images."""
        return {"encoder", "head", "rebuilder", "label_map"} | ({"teacher"} if "target" in self.domains else set())

    def generator(self, p: ForwardPass) -> Tensor:
        """The sum over the listed domains."""
        return torch.stack(
            [self._target(p) if domain == "target" else self._source(p) for domain in self.domains]
        ).sum()

    def _source(self, p: ForwardPass) -> Tensor:
        return p.task.supervised_loss(self._logits(p, "source"), p.label())

    def _target(self, p: ForwardPass) -> Tensor:
        size = p.image("target").shape[-2:]
        with torch.no_grad():
            taught = functional.interpolate(p.teacher_logits(), size=size, mode="bilinear", align_corners=False)
            confidence, label = taught.softmax(dim=1).max(dim=1)
            trusted = (confidence > self.threshold).to(taught).flatten(1).mean(dim=1)
        logits = functional.interpolate(self._logits(p, "target"), size=size, mode="bilinear", align_corners=False)
        return weighted_cross_entropy(logits, label, trusted[:, None, None].expand(label.shape))

    def _logits(self, p: ForwardPass, domain: Domain) -> Tensor:
        """Class logits of the features rebuilt where they were masked."""
        features = p.features(domain)
        height, width = (min(int(side), self.grid) for side in features[-1].shape[-2:])
        masked = p.uniform("masked_modelling", domain, (height, width)) < self.share
        return p.classify(p.rebuild(features, moved(masked, features[-1].device)))


build = MaskedModelling
