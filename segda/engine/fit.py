"""The training loop: every method, both players, read from top to bottom."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from segda.batch import Batch
from segda.engine import diagnostics, health, roll_back, signals, step_losses
from segda.engine.background import BackgroundWriter
from segda.engine.health import Finding, HealthPolicy
from segda.engine.log import Log
from segda.engine.optimizers import set_rates
from segda.engine.profiler import Profile
from segda.engine.roll_back import RollBack
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.engine.waiting import Waiting
from segda.errors import TrainingError
from segda.objectives.objective import check_gradients
from segda.step_parts import part

AGREE_EVERY = 10
"""Steps after which processes on GPUs ask one another whether to stop; on CPUs they do after each one."""


def fit(
    training: TrainingState,
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
    care: HealthPolicy = health.DEFAULT_POLICY,
    profile: bool = False,
) -> dict[str, Any]:
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
        care: what counts as trouble, and what is done then.
        profile: tell of a few steps where their time went; see `segda.engine.profiler`.

    Returns:
        The troubles and roll backs, for the manifest; the main process knows them.

    Raises:
        TrainingError: a loss is not finite (names the term, step and files), a network gets no gradient, or there is
            trouble that the training is to stop at.
        StoppedError: a signal asked to stop; all that was made is in a checkpoint.
    """
    objective = training.objective
    optimizers = training.optimizers()
    players = dict(zip(("generator", "discriminator"), objective.players(), strict=True))
    layers = {name: diagnostics.last_layers(training.modules, player) for name, player in players.items()}
    objective.networks.train()
    reach = care.limits.lines * log_every if care.on_bad_health == "roll_back" else 0
    if reach and start == 0:
        training.save(folder / "checkpoints", 0, session)
    backs = len(training.roll_backs)
    batches = waiting = Waiting(batches)
    opened = Log(folder, title, start, steps, show=session.is_main, limits=care.limits, roll_backs=backs)
    profiled = Profile(
        folder, title, training.prepared, steps - start, device=session.device, tell=opened.line.tell,
        wanted=profile and session.is_main,
    )  # fmt: skip
    with opened as log, BackgroundWriter() as beside, profiled:
        step = start
        while step < steps:
            profiled.begin_step(step)
            made = step + 1
            saving = made % save_every == 0 and made < steps
            watching = made % log_every == 0 or made == steps or saving
            measured: dict[str, Tensor] = {}
            for optimizer in optimizers.values():
                set_rates(optimizer, factor(step) * roll_back.rate(training.roll_backs))
            for _ in range(discriminator_steps - 1):
                _train_discriminators(training, batches, session, accumulate, step / steps)

            for micro in range(accumulate):
                with part("waiting for data"):
                    batch = next(batches)
                with ExitStack() as stack:
                    if micro < accumulate - 1:  # processes exchange gradients once a step
                        for module in training.prepared.values():
                            stack.enter_context(session.accelerator.no_sync(module))
                    forward = objective.forward(batch, step / steps)
                    last = watching and micro == accumulate - 1
                    with part("generators: losses"):
                        generator = objective.generator_losses(forward)
                    if last:
                        measured |= _gradients("generator", generator, layers, session)
                    if micro == 0:
                        training.clear_gradients()
                    if generator:
                        with part("generators: gradients"):
                            session.backward(_total(generator) / accumulate)
                    with part("discriminators: losses"):
                        discriminator = objective.discriminator_losses(forward)
                    if last:
                        measured |= _gradients("discriminator", discriminator, layers, session)
                    if discriminator:
                        with part("discriminators: gradients"):
                            session.backward(_total(discriminator) / accumulate)
                training.pending.append(step_losses.named(step, generator, discriminator, batch))

            if step == start:
                check_gradients(objective.networks)
            if watching:
                with part("measuring and logging"):
                    for name, optimizer in optimizers.items():
                        measured[f"gradients.{name}"] = diagnostics.player_norm(optimizer, session.loss_scale())
                    measured |= diagnostics.class_shares(objective.networks, forward, len(care.classes))
            with part("optimizers"):
                session.step(optimizers.values())
                objective.clip_discriminators()
                session.average_buffers(training.modules)
            if training.average:
                with part("moving average"):
                    training.average.update(training.modules, step)

            step = made
            beside.check()
            with part("measuring and logging"):
                # Processes stop after the same step, or they would wait for one another for ever. To ask costs little
                # on a CPU; a GPU would have to be waited for.
                asking = session.world == 1 or session.device.type == "cpu" or made % AGREE_EVERY == 0
                stopping = session.max(signals.requested()) if asking and made < steps else 0
                trouble = step_losses.not_finite(training.pending, session) if watching or stopping else None
                if watching:
                    found = diagnostics.as_log_parts(measured, care.classes, session)
                    if trouble is None and session.accelerator.scaler is None:  # fp16 passes over such steps by itself
                        trouble = health.non_finite_gradient(made, found)
                    if trouble is None:
                        rates = {name: optimizer.param_groups[-1]["lr"] for name, optimizer in optimizers.items()}
                        measures = {name: float(value) for name, value in objective.measures(forward).items()}
                        losses = step_losses.means(training.pending, session)
                        values = {"learning_rate": rates, "losses": losses, "measures": measures, **found}
                        begun = log.write(made, values, waiting=waiting.share())
                        training.pending = []
                        if care.on_bad_health != "report":
                            trouble = session.broadcast(begun[0] if begun else None)
                    else:
                        log.bad(made, trouble)
                    if trouble is not None:
                        if care.on_bad_health != "roll_back":
                            raise TrainingError(trouble.stops(made))
                        beside.wait()
                        step = _roll_back(training, log, folder / "checkpoints", made, trouble, care, session, reach)
            # What is spoiled is not saved; that it is, is told where the log would have been written.
            if (saving or stopping) and trouble is None:
                with part("saving"):
                    training.save(folder / "checkpoints", made, session, reach, scheduled=saving, beside=beside)
            if stopping:
                beside.wait()
                session.barrier()
                where = f"step {made} of {steps} is saved" if trouble is None else "its last checkpoint is whole"
                raise signals.StoppedError(stopping, f"{title}, {where}")
    return {
        "troubles": [trouble.to_json() for trouble in log.watch.troubles],
        "roll_backs": [back.to_json() for back in training.roll_backs],
    }


def _roll_back(
    training: TrainingState,
    log: Log,
    folder: Path,
    made: int,
    trouble: Finding,
    care: HealthPolicy,
    session: Session,
    reach: int,
) -> int:
    """Go back to the newest checkpoint from before a trouble; returns the step to go on from."""
    done = training.roll_backs
    roll_back.drop(folder, trouble.since, made, trouble.what, len(done), care.limits.roll_backs, session)
    training.pending = []
    to = training.restore(folder, session)
    training.roll_backs = [*done, RollBack(made, to, trouble.what)]
    # The log first: a checkpoint that knows of the roll back may rely on finding it there.
    log.roll_back(made, to, trouble.what)
    training.save(folder, to, session, reach)
    return to


def _gradients(
    player: str, losses: dict[str, Tensor], layers: dict[str, list[nn.Parameter]], session: Session
) -> dict[str, Tensor]:
    with part("measuring and logging"):
        norms = diagnostics.term_norms(losses, layers[player], session.loss_scale())
    return {f"gradients.{player}.{name}": norm for name, norm in norms.items()}


def _train_discriminators(
    training: TrainingState, batches: Iterator[Batch], session: Session, accumulate: int, progress: float
) -> None:
    """One update of the discriminators alone, as a Wasserstein critic needs before each of the generators."""
    if training.discriminator is None:
        return
    for micro in range(accumulate):
        with part("waiting for data"):
            batch = next(batches)
        with part("discriminators: updates of their own"), ExitStack() as stack:
            if micro < accumulate - 1:
                for module in training.prepared.values():
                    stack.enter_context(session.accelerator.no_sync(module))
            # The other player learns nothing here, so no graph of it is kept.
            with training.objective.generators_frozen():
                losses = training.objective.discriminator_losses(training.objective.forward(batch, progress))
                if micro == 0:
                    training.clear_gradients()
                session.backward(_total(losses) / accumulate)
    with part("discriminators: updates of their own"):
        session.step([training.discriminator])
        training.objective.clip_discriminators()


def _total(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()
