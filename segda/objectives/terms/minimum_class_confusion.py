"""Predictions on target images become such that no class is confused with another one.

Equation: `1 - tr(M) / K`, `M` the rows of `sum_i w_i p_i p_i^T` scaled to sum 1, `p = softmax(h(f_t(y)) / T)`,
`w = 1 + exp(-H(p))` without gradient.
Source: Jin et al. 2020 (minimum class confusion), for whole images; here every position of a map is a sample.
**Gradients:** head and target encoder.

The value is a statistic of the batch: with several processes each computes it on its own part, which is not the value
of the whole batch, unless `runtime.gather_statistics: true` gathers all samples. With `accumulate`, it is the value of
each micro-batch in any case.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from segda.errors import ConfigError
from segda.losses.class_confusion import class_confusion
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.term import Term


@dataclass(frozen=True)
class MinimumClassConfusion(Term):
    """Mean share of each class's predictions on target images that goes to other classes.

    Attributes:
        temperature: logits are divided by it; the authors take 2 to 3.
    """

    temperature: float = 2.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.minimum_class_confusion.temperature: found {self.temperature}, expected a finite number above 0"
            )

    def needs(self) -> set[str]:
        """Encoder and head."""
        return {"encoder", "head"}

    def is_batch_statistic(self) -> bool:
        """True."""
        return True

    def generator(self, p: ForwardPass) -> Tensor:
        """The confusion of this step's target images, 0 certain to `1 - 1/K` uniform."""
        logits = p.logits("target").movedim(1, -1).flatten(0, -2)
        return class_confusion(p.whole_batch(logits), self.temperature)


build = MinimumClassConfusion
