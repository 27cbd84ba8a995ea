"""Save all that changes while a stage trains, and resume from it exactly."""

from pathlib import Path

import torch
from torch import Tensor
from torch.profiler import record_function

from segda.engine import checkpoint
from segda.engine.background import BackgroundWriter
from segda.engine.session import Session
from segda.engine.state import StepLosses, TrainingState
from segda.errors import ArtefactError, reason


def save(state: TrainingState, folder: Path, session: Session, background: BackgroundWriter | None = None) -> None:
    """Write a checkpoint below `folder`; every process must call this, and rank 0 writes.

    `background` writes while training goes on; without it, this returns when all is written.
    """
    tensors = {f"random/{name}": value for name, value in checkpoint.random_state(session).items()}
    if state.unlogged_losses:
        tensors["pending/losses"] = session.gather(torch.stack([losses.values for losses in state.unlogged_losses]))
    if session.is_main:
        tensors.update({f"networks/{name}": value for name, value in checkpoint.flatten(state.modules).items()})
        tensors.update({f"pools/{name}": value for name, value in state.objective.state().items()})
        if state.average:
            averages = checkpoint.flatten(state.average.modules)
            tensors.update({f"average/{name}": value for name, value in averages.items()})
        groups = {}
        for name, optimizer in state.optimizers().items():
            moments, groups[name] = checkpoint.collect_optimizer(optimizer)
            tensors.update({f"optimizers/{name}/{key}": value for key, value in moments.items()})
        scaler = session.accelerator.scaler
        plain = {
            "world_size": session.world,
            "optimizers": groups,
            "scaler": scaler.state_dict() if scaler else None,
            "pending": state.unlogged_losses[0].names if state.unlogged_losses else [],
        }
        checkpoint.save(folder, state.step, tensors, plain, background)


def resume(state: TrainingState, folder: Path, session: Session) -> None:
    """Load the newest whole checkpoint into `state`, if there is one.

    Raises:
        ArtefactError: it is of other networks or optimizers, or not all processes can read it.
    """
    if session.is_main:
        checkpoint.clean(folder)
    step, tensors, plain, notes = checkpoint.load_alike(folder, session)
    for note in notes:
        session.print(note)
    if not plain:
        return
    if plain["world_size"] != session.world:
        session.print(
            f"{folder.parent.name}: going on with {session.world} processes what {plain['world_size']} began; "
            "statistics of batch normalisation are taken over other batches from here on"
        )
    try:
        checkpoint.unflatten(state.modules, _below(tensors, "networks/"))
        state.objective.load_state(_below(tensors, "pools/"))
        if state.average:
            checkpoint.unflatten(state.average.modules, _below(tensors, "average/"))
        for name, optimizer in state.optimizers().items():
            moments = _below(tensors, f"optimizers/{name}/")
            checkpoint.restore_optimizer(optimizer, moments, plain["optimizers"][name])
        if session.accelerator.scaler is not None and plain["scaler"]:
            session.accelerator.scaler.load_state_dict(plain["scaler"])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ArtefactError(
            f"{folder}: the checkpoint of step {step} does not fit this config's networks and optimizers "
            f"({reason(error)}); delete the folder to begin anew"
        ) from error
    checkpoint.restore_random_state(_below(tensors, "random/"), session)
    state.step = step
    if plain.get("pending"):
        stored = tensors["pending/losses"].view(plain["world_size"], -1, len(plain["pending"]))
        own = stored[session.rank] if plain["world_size"] == session.world else stored.mean(0)
        state.unlogged_losses = [StepLosses(step, plain["pending"], values, []) for values in own.to(session.device)]


class Checkpointer(BackgroundWriter):
    """Saves a training every so many steps, in the background; on leaving the `with` block all is written."""

    def __init__(self, folder: Path, session: Session, *, save_every: int, steps: int) -> None:
        """Save below `folder`, every `save_every` steps, but not after the last of `steps`, which ends the training."""
        super().__init__()
        self.folder, self.session, self.save_every, self.steps = folder, session, save_every, steps

    def is_due(self, step: int) -> bool:
        """Whether a checkpoint is to be written after so many steps."""
        return step % self.save_every == 0 and step < self.steps

    def save(self, state: TrainingState) -> None:
        """Begin to write a checkpoint; the previous one is finished first."""
        with record_function("saving"):
            save(state, self.folder, self.session, self)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
