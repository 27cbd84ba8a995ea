"""The interface between a term and the objective."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from segda.errors import ConfigError
from segda.objectives.weight import Ramp

if TYPE_CHECKING:
    from segda.objectives.forward_pass import ForwardPass


@dataclass(frozen=True)
class Term:
    """One weighted summand of the objective. A term's fields are its options in a method's YAML.

    Attributes:
        weight: factor of the generator's side; discriminators train with factor 1 whatever it is.
    """

    weight: float | Ramp

    def needs(self) -> set[str]:
        """The networks that this term uses, in the vocabulary of `segda.networks.networks.build`."""
        return set()

    def generator(self, p: "ForwardPass") -> Tensor:
        """The scalar that encoders, decoders and head minimise, before the weight."""
        raise TypeError(f"{type(self).__name__} does not define generator(p); a term must")

    def discriminator(self, p: "ForwardPass") -> Tensor | None:
        """The scalar that this term's discriminators minimise on detached tensors; `None` without discriminators."""
        return None

    def joint_discriminators(self) -> set[str]:
        """Names of discriminators that train inside the generator's side, through gradient reversal."""
        return set()

    def discriminators(self) -> set[str]:
        """Names of networks beyond `discriminator.*` that the second player trains."""
        return set()

    def clipped(self) -> dict[str, float]:
        """Names of the networks whose parameters are clipped after an update, with the bound on their size."""
        return {}

    def differentiated_twice(self) -> set[str]:
        """Names of the networks whose gradient is part of a loss, such as a gradient penalty's."""
        return set()

    def is_batch_statistic(self) -> bool:
        """Whether the term's value is a statistic of all samples together, not a mean over them.

        Such a term takes its samples through `ForwardPass.whole_batch`; without `runtime.gather_statistics` its value
        depends on how the batch is split over processes.
        """
        return False

    def pool_size(self) -> int:
        """Size of the pool of earlier translated images of each domain that discriminators train on; 0 for none."""
        return 0

    def measures(self, p: "ForwardPass") -> dict[str, Tensor]:
        """Scalars to log, from tensors that the losses have already computed."""
        return {}

    def yaml_name(self) -> str:
        """The term's key in a method's YAML, for messages; a term is named after its file."""
        return f"terms.{type(self).__module__.rpartition('.')[2]}"

    def check_not_negative(self, *options: str) -> None:
        """Refuse options that are negative or not finite.

        Raises:
            ConfigError: names the option.
        """
        for option in options:
            value = getattr(self, option)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{self.yaml_name()}.{option}: found {value}, expected a finite number of at least 0")
