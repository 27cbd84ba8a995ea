"""Alignment of the statistics of features or predictions, without a discriminator.

Equation: `D({z_s}, {z_t})`: `coral`, the squared distance of covariances `|C_s - C_t|^2 / (4 d^2)`; `mmd`, the squared
distance of the means in Gaussian kernels' feature spaces; `linear_mmd`, the squared distance of the means.
Source: Sun and Saenko 2016 (Deep CORAL, `coral` at `logits`); Long et al. 2015 (DAN, `mmd`); Tzeng et al. 2014 (DDC,
`linear_mmd`). Every position of a map is a sample.
**Gradients:** both encoders; for logits and probabilities the head, too.

The value is a statistic of the batch: with several processes each computes it on its own part, which is not the value
of the whole batch, unless `runtime.gather_statistics: true` gathers all samples. With `accumulate`, it is the value of
each micro-batch in any case.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from segda.batch import Domain
from segda.errors import ConfigError
from segda.losses import discrepancy
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class FeatureDiscrepancy(Term):
    """Distance between the distributions of features or of predictions.

    Attributes:
        loss: `coral`, `mmd` or `linear_mmd`.
        at: the samples: `features` (the latent map), `logits` or `probabilities` of classes.
        linear_time: estimate `mmd` from a few pairs, for large maps, where all pairs would not fit into memory.
    """

    loss: Literal["coral", "mmd", "linear_mmd"] = "coral"
    at: Literal["features", "logits", "probabilities"] = "features"
    linear_time: bool = False

    def __post_init__(self) -> None:
        if self.linear_time and self.loss != "mmd":
            raise ConfigError(
                f"terms.feature_discrepancy.linear_time: loss {self.loss!r} has no such estimate; drop it, or use 'mmd'"
            )

    def needs(self) -> set[str]:
        """Encoder, and the head for logits and probabilities."""
        return {"encoder"} if self.at == "features" else {"encoder", "head"}

    def is_batch_statistic(self) -> bool:
        """True."""
        return True

    def generator(self, p: ForwardPass) -> Tensor:
        """The distance between the two domains of this step."""
        source, target = self._samples(p, "source"), self._samples(p, "target")
        if self.loss == "coral":
            return discrepancy.coral(source, target)
        if self.loss == "linear_mmd":
            return discrepancy.linear_mmd(source, target)
        return discrepancy.linear_time_mmd(source, target) if self.linear_time else discrepancy.mmd(source, target)

    def _samples(self, p: ForwardPass, domain: Domain) -> Tensor:
        """`[B * h * w, C]`.

        Raises:
            ConfigError: too few for the statistic.
        """
        if self.at == "features":
            value = p.z(domain)
        else:
            value = p.logits(domain) if self.at == "logits" else p.probabilities(domain)
        samples = p.whole_batch(value.movedim(1, -1).flatten(0, -2))
        if len(samples) < 2 and self.loss != "linear_mmd":
            raise ConfigError(
                f"terms.feature_discrepancy: {self.loss} is a statistic of several samples; found 1 {domain} sample "
                "a step, expected at least 2; raise the batch size, or use loss 'linear_mmd'"
            )
        return samples


build = FeatureDiscrepancy
