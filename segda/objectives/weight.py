"""A term's weight: a number, or a ramp over training."""

import math
from dataclasses import dataclass
from typing import Literal

from segda.errors import ConfigError


def dann_schedule(progress: float) -> float:
    """`2 / (1 + exp(-10 p)) - 1`: 0 at the start of training, nearly 1 from its middle on.

    Source: Ganin et al. 2016, section 5.2.2.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


@dataclass(frozen=True)
class Ramp:
    """A weight that grows from 0 to `to` during the first share `over` of training and stays there.

    Attributes:
        ramp: `linear`, or `dann`, which follows `dann_schedule`.
        to: the final weight.
        over: share of training during which it grows, above 0 and at most 1.
    """

    ramp: Literal["dann", "linear"]
    to: float
    over: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.over <= 1:
            raise ConfigError(f"weight.over: found {self.over}, expected a share of training above 0 and at most 1")

    def at(self, progress: float) -> float:
        """The weight at `progress` in `[0, 1]`."""
        reached = min(1.0, progress / self.over)
        return self.to * (dann_schedule(reached) if self.ramp == "dann" else reached)


def weight_at(weight: float | Ramp, progress: float) -> float:
    """The value of a weight at `progress` in `[0, 1]`."""
    return weight.at(progress) if isinstance(weight, Ramp) else weight
