"""What a training stage changes: networks, optimizers, averages, pools; to a checkpoint and back."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from segda.engine import checkpoint
from segda.engine.background import BackgroundWriter
from segda.engine.ema import MovingAverage
from segda.engine.roll_back import RollBack
from segda.engine.session import Session
from segda.engine.step_losses import StepLosses
from segda.errors import ArtefactError
from segda.objectives.objective import Objective


@dataclass
class TrainingState:
    """All that changes while a stage trains, so all that a checkpoint holds.

    Attributes:
        objective: the weighted terms; its image pools are part of the state.
        modules: the networks by name, unwrapped.
        prepared: the same networks as the objective calls them (wrapped when there are several processes).
        generator: optimizer of encoders, heads and decoders.
        discriminator: optimizer of the discriminators; `None` when no term has an adversary of its own.
        average: moving average of some of the networks, if one is kept.
        roll_backs: those so far, in their order.
        pending: losses that are not in the log yet; a checkpoint holds some only when a signal asked for it.
    """

    objective: Objective
    modules: dict[str, nn.Module]
    prepared: dict[str, nn.Module]
    generator: torch.optim.Optimizer | None
    discriminator: torch.optim.Optimizer | None
    average: MovingAverage | None = None
    roll_backs: list[RollBack] = field(default_factory=list)
    pending: list[StepLosses] = field(default_factory=list)

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The players' optimizers by name."""
        both = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: optimizer for name, optimizer in both.items() if optimizer is not None}

    def clear_gradients(self) -> None:
        """Let go of the gradients of the step before.

        Call it between the first losses and their backward pass: what is freed there, the new gradients take. Sooner,
        a CPU's memory would go back to the system and be asked for again, which can cost a tenth of a step.
        """
        for optimizer in self.optimizers().values():
            optimizer.zero_grad()

    def save(
        self,
        folder: Path,
        step: int,
        session: Session,
        reach: int = 0,
        *,
        scheduled: bool = True,
        beside: BackgroundWriter | None = None,
    ) -> None:
        """Write a checkpoint, from which roll backs by `reach` steps are possible; every process must call this.

        Args:
            folder: of the checkpoints.
            step: steps made.
            session: the processes; rank 0 writes.
            reach: how many steps back a roll back may look.
            scheduled: whether it would be written without any interruption.
            beside: writes it, so that the training waits for a copy alone; without it all is done here.
        """
        tensors = {f"random/{name}": value for name, value in checkpoint.random_state(session).items()}
        if self.pending:
            tensors["pending/losses"] = session.gather(torch.stack([losses.values for losses in self.pending]))
        if session.is_main:
            tensors.update({f"networks/{name}": value for name, value in checkpoint.flatten(self.modules).items()})
            tensors.update({f"pools/{name}": value for name, value in self.objective.state().items()})
            if self.average:
                averages = checkpoint.flatten(self.average.modules)
                tensors.update({f"average/{name}": value for name, value in averages.items()})
            groups = {}
            for name, optimizer in self.optimizers().items():
                state, groups[name] = checkpoint.collect_optimizer(optimizer)
                tensors.update({f"optimizers/{name}/{key}": value for key, value in state.items()})
            scaler = session.accelerator.scaler
            plain = {
                "world_size": session.world,
                "optimizers": groups,
                "scaler": scaler.state_dict() if scaler else None,
                "roll_backs": [back.to_json() for back in self.roll_backs],
                "pending": self.pending[0].names if self.pending else [],
                "scheduled": scheduled,
            }
            checkpoint.save(folder, step, tensors, plain, reach, beside)

    def restore(self, folder: Path, session: Session) -> int:
        """Load the newest whole checkpoint, if any, and return the step to go on from.

        Raises:
            ArtefactError: it is of other networks or optimizers, or not all processes can read it.
        """
        if session.is_main:
            checkpoint.clean(folder)
        step, tensors, plain, notes = checkpoint.load_alike(folder, session)
        for note in notes:
            session.print(note)
        if not plain:
            return 0
        if plain["world_size"] != session.world:
            session.print(
                f"{folder.parent.name}: going on with {session.world} processes what {plain['world_size']} began; "
                "statistics of batch normalisation are taken over other batches from here on"
            )
        try:
            checkpoint.unflatten(self.modules, _below(tensors, "networks/"))
            self.objective.load_state(_below(tensors, "pools/"))
            if self.average:
                checkpoint.unflatten(self.average.modules, _below(tensors, "average/"))
            for name, optimizer in self.optimizers().items():
                state = _below(tensors, f"optimizers/{name}/")
                checkpoint.restore_optimizer(optimizer, state, plain["optimizers"][name])
            if session.accelerator.scaler is not None and plain["scaler"]:
                session.accelerator.scaler.load_state_dict(plain["scaler"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise ArtefactError(
                f"{folder}: the checkpoint of step {step} does not fit this config's networks and optimizers "
                f"({' '.join(str(error).split())[:200]}); delete the folder to begin anew"
            ) from error
        checkpoint.restore_random_state(_below(tensors, "random/"), session)
        self.roll_backs = [RollBack(**back) for back in plain.get("roll_backs", [])]
        if plain.get("pending"):
            stored = tensors["pending/losses"].view(plain["world_size"], -1, len(plain["pending"]))
            own = stored[session.rank] if plain["world_size"] == session.world else stored.mean(0)
            self.pending = [StepLosses(step, plain["pending"], values, []) for values in own.to(session.device)]
        return step


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
