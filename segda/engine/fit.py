"""The training loop: every method, both players, read from top to bottom."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from segda.batch import Batch
from segda.engine import checkpoint
from segda.engine.ema import MovingAverage
from segda.engine.log import Log
from segda.engine.optimizers import set_rates
from segda.engine.session import Session
from segda.errors import ArtefactError, TrainingError
from segda.objectives.objective import Objective, check_gradients


@dataclass
class Training:
    """All that changes while a stage trains, so all that a checkpoint holds.

    Attributes:
        objective: the weighted terms; its image pools are part of the state.
        modules: the networks by name, unwrapped.
        prepared: the same networks as the objective calls them (wrapped when there are several processes).
        generator: optimizer of encoders, heads and decoders.
        discriminator: optimizer of the discriminators; `None` when no term has an adversary of its own.
        average: moving average of some of the networks, if one is kept.
    """

    objective: Objective
    modules: dict[str, nn.Module]
    prepared: dict[str, nn.Module]
    generator: torch.optim.Optimizer | None
    discriminator: torch.optim.Optimizer | None
    average: MovingAverage | None = None

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The players' optimizers by name."""
        both = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: optimizer for name, optimizer in both.items() if optimizer is not None}

    def save(self, folder: Path, step: int, session: Session) -> None:
        """Write a checkpoint; every process must call this."""
        tensors = {f"random/{name}": value for name, value in checkpoint.random_state(session).items()}
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
                "world_size": session.world, "optimizers": groups, "scaler": scaler.state_dict() if scaler else None
            }
            checkpoint.save(folder, step, tensors, plain)
        session.barrier()

    def restore(self, folder: Path, session: Session) -> int:
        """Load the newest whole checkpoint, if any, and return the step to go on from.

        Raises:
            ArtefactError: it is of other networks or optimizers, or not all processes can read it.
        """
        step, tensors, plain, notes = checkpoint.load_alike(folder, session)
        for note in notes:
            session.print(note)
        if step == 0:
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
        return step


@dataclass
class Losses:
    """The named losses of one step, still on the device, and the files they were computed on."""

    step: int
    names: list[str]
    values: Tensor
    keys: list[str]


def fit(
    training: Training,
    batches: Iterator[Batch],
    session: Session,
    *,
    folder: Path,
    title: str,
    start: int,
    steps: int,
    accumulate: int,
    discriminator_steps: int = 1,
    factor: Callable[[int], float],
    save_every: int,
    log_every: int,
) -> None:
    """Make the steps `start` to `steps - 1`: generators, then discriminators, on the tensors of the same pass.

    Args:
        training: networks, optimizers and objective; changed in place.
        batches: micro-batches on the device, from step `start` on.
        session: the processes.
        folder: gets `log.jsonl` and `checkpoints/`.
        title: head of the live line.
        start: steps already made.
        steps: steps in all.
        accumulate: micro-batches a step; the gradient is their mean.
        discriminator_steps: updates of the discriminators a step, all but the last on batches of their own.
        factor: learning-rate factor of a step.
        save_every: steps between checkpoints.
        log_every: steps between log lines; losses are fetched from the device and checked at the same pace.

    Raises:
        TrainingError: a loss is not finite (names the term, step and files), or a network gets no gradient.
    """
    objective = training.objective
    optimizers = training.optimizers()
    objective.networks.train()
    pending: list[Losses] = []
    with Log(folder, title, start, steps, show=session.is_main) as log:
        for step in range(start, steps):
            for optimizer in optimizers.values():
                set_rates(optimizer, factor(step))
            for _ in range(discriminator_steps - 1):
                _train_discriminators(training, batches, session, accumulate, step / steps)

            for micro in range(accumulate):
                batch = next(batches)
                with ExitStack() as stack:
                    if micro < accumulate - 1:  # processes exchange gradients once a step
                        for module in training.prepared.values():
                            stack.enter_context(session.accelerator.no_sync(module))
                    forward = objective.forward(batch, step / steps)
                    generator = objective.generator_losses(forward)
                    if generator:
                        session.backward(_total(generator) / accumulate)
                    discriminator = objective.discriminator_losses(forward)
                    if discriminator:
                        session.backward(_total(discriminator) / accumulate)
                pending.append(_named(step, generator, discriminator, batch))

            if step == start:
                check_gradients(objective.networks)
            session.step(optimizers.values())
            objective.clip_discriminators()
            session.average_buffers(training.modules)
            if training.average:
                training.average.update(training.modules, step)

            made = step + 1
            saving = made % save_every == 0 and made < steps
            if made % log_every == 0 or made == steps or saving:
                means = _check(pending, session)
                pending.clear()
                measures = {name: float(value) for name, value in objective.measures(forward).items()}
                rates = {name: optimizer.param_groups[-1]["lr"] for name, optimizer in optimizers.items()}
                log.write(made, {"learning_rate": rates, "losses": means, "measures": measures})
            if saving:
                training.save(folder / "checkpoints", made, session)


def _train_discriminators(
    training: Training, batches: Iterator[Batch], session: Session, accumulate: int, progress: float
) -> None:
    """One update of the discriminators alone, as a Wasserstein critic needs before each of the generators."""
    if training.discriminator is None:
        return
    for micro in range(accumulate):
        with ExitStack() as stack:
            if micro < accumulate - 1:
                for module in training.prepared.values():
                    stack.enter_context(session.accelerator.no_sync(module))
            losses = training.objective.discriminator_losses(training.objective.forward(next(batches), progress))
            session.backward(_total(losses) / accumulate)
    session.step([training.discriminator])
    if training.generator is not None:  # terms whose networks belong to both sides leave gradients there
        training.generator.zero_grad()
    training.objective.clip_discriminators()


def _total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _named(step: int, generator: dict[str, Tensor], discriminator: dict[str, Tensor], batch: Batch) -> Losses:
    named = {f"generator.{name}": loss for name, loss in generator.items()}
    named.update({f"discriminator.{name}": loss for name, loss in discriminator.items()})
    keys = batch.source.key + (batch.target.key if batch.target else [])
    return Losses(step, list(named), torch.stack([loss.detach().float() for loss in named.values()]), keys)


def _check(pending: list[Losses], session: Session) -> dict[str, float]:
    """The mean of the losses that were not looked at yet, over steps and processes; all must be finite."""
    stacked = torch.stack([losses.values for losses in pending])
    for losses, values in zip(pending, stacked.tolist(), strict=True):
        for name, value in zip(losses.names, values, strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"step {losses.step}: the loss {name} became {value} on {', '.join(losses.keys)}; the last "
                    "checkpoint is untouched: lower its weight or the learning rate, or use mixed_precision: no"
                )
    means = session.sum(stacked.mean(0)) / session.world
    return dict(zip(pending[0].names, means.tolist(), strict=True))


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}
