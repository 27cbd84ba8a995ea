"""What changes while a stage trains: networks, optimizers, averages, pools. `engine.resume` saves and loads it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from segda.engine.ema import MovingAverage
from segda.engine.optimizers import set_rates
from segda.objectives.objective import Objective


@dataclass
class StepLosses:
    """The named losses of one step, still on the device, and the files they were computed on."""

    step: int
    names: list[str]
    values: Tensor
    keys: list[str]


@dataclass
class TrainingState:
    """All that changes while a stage trains, so all that a checkpoint holds.

    Attributes:
        objective: the weighted terms; its image pools are part of the state.
        modules: the networks by name, unwrapped.
        prepared: the same networks as the objective calls them (wrapped when there are several processes).
        generator: optimizer of encoders, heads and decoders.
        discriminator: optimizer of the discriminators; `None` when no term has an adversary of its own.
        average: moving average of some of the networks, if there is one.
        step: steps made.
        unlogged_losses: losses not yet in the log; a checkpoint holds some only if a signal stopped the training.
    """

    objective: Objective
    modules: dict[str, nn.Module]
    prepared: dict[str, nn.Module]
    generator: torch.optim.Optimizer | None
    discriminator: torch.optim.Optimizer | None
    average: MovingAverage | None = None
    step: int = 0
    unlogged_losses: list[StepLosses] = field(default_factory=list)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The players' optimizers by name."""
        both = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: optimizer for name, optimizer in both.items() if optimizer is not None}

    def set_learning_rates(self, factor: float) -> None:
        """Set every learning rate to `factor` times its undamped one."""
        for optimizer in self.optimizers().values():
            set_rates(optimizer, factor)

    def clear_gradients(self) -> None:
        """Free the gradients of the previous step.

        Call it between the first losses and their backward pass, so that the new gradients reuse the memory. Earlier, a
        CPU would return the memory to the system and ask for it again, which can cost a tenth of a step.
        """
        for optimizer in self.optimizers().values():
            optimizer.zero_grad()
