"""Supervised loss on source images.

Equation: `Q_c = sum_i l_c(h(f_s(x_i)) / T, c_i)`.
Source: Murez et al. 2018 (I2I Adapt), equation 1, where T = 1; with T = 1.8 Wang et al. 2020 (FADA), released code.
**Gradients:** head and source encoder.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.reduced import reduced_image, reduced_map
from segda.objectives.term import Term


@dataclass(frozen=True)
class Classification(Term):
    """Supervised loss of the head on source images.

    Attributes:
        temperature: divides the logits, so that above 1 predictions are to be surer for the same loss.
        scale: share of their height and width to which the images are reduced, as `distillation.student_scale` does.
    """

    temperature: float = 1.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise ConfigError(f"terms.classification.scale: found {self.scale}, expected a share above 0, at most 1")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"terms.classification.temperature: found {self.temperature}, expected a finite number above 0"
            )

    def needs(self) -> set[str]:
        """Encoder and head; labels for every pixel for smaller images."""
        return {"encoder", "head"} | ({"label_map"} if self.scale != 1 else set())

    def generator(self, p: ForwardPass) -> Tensor:
        """The task's supervised loss of the source logits."""
        if self.scale == 1:
            logits = p.logits("source")
        else:
            logits = p.predict(reduced_image(p.image("source"), self.scale), "source")
        if self.temperature != 1:
            logits = logits / self.temperature
        return p.task.supervised_loss(logits, reduced_map(p.label(), self.scale))


build = Classification
