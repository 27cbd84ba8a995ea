"""The training loop of every method: `fit` is the loop, `update` one step of both players."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.profiler import record_function

from segda.batch import Batch
from segda.engine.diagnostics import Diagnostics
from segda.engine.profiler import Profiler
from segda.engine.recorder import Recorder
from segda.engine.resume import Checkpointer
from segda.engine.session import Local, Session
from segda.engine.signals import StoppedError
from segda.engine.state import StepLosses, TrainingState
from segda.errors import TrainingError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.objective import check_gradients


@dataclass(frozen=True)
class Schedule:
    """How many steps are made, and of what.

    Attributes:
        steps: steps in all.
        accumulate: micro-batches a step; the gradient is their mean.
        discriminator_steps: updates of the discriminators a step, all but the last on batches of their own.
        factor: learning-rate factor of a step, counted from 0.
    """

    steps: int
    accumulate: int = 1
    discriminator_steps: int = 1
    factor: Callable[[int], float] = lambda step: 1.0


def fit(
    state: TrainingState,
    batches: Iterator[Batch],
    session: Session,
    schedule: Schedule,
    recorder: Recorder,
    checkpointer: Checkpointer,
    profiler: Profiler,
) -> None:
    """Train from `state.step` to the end: each step updates generators and discriminators on the same tensors.

    Args:
        state: networks, optimizers and objective; changed in place.
        batches: micro-batches on the device, from step `state.step` on.
        session: the processes.
        schedule: steps, micro-batches and learning rates.
        recorder: the log, the progress line and the findings.
        checkpointer: saves the state.
        profiler: profiles a few steps, if at all.

    Raises:
        TrainingError: a loss or gradient is not finite (names the term, step and files), a network gets no gradient,
            or a finding ends the training.
        StoppedError: a signal asked to stop; all steps made are in a checkpoint.
    """
    state.objective.networks.train()
    batches, start = recorder.timed(batches), state.step
    with recorder.log, recorder.trackers, checkpointer, profiler:
        while state.step < schedule.steps:
            state.set_learning_rates(schedule.factor(state.step))
            for _ in range(schedule.discriminator_steps - 1):
                update_discriminators(state, batches, session, schedule)
            saving = checkpointer.is_due(state.step + 1)
            recorder.begin_step(state.step + 1, saving)
            forward = update(state, batches, session, schedule, recorder.diagnostics)
            if state.step == start:
                check_gradients(state.objective.networks)
            state.step += 1

            checkpointer.raise_if_failed()
            stopping = session.stop_requested(state.step) if state.step < schedule.steps else 0
            finding = recorder.record(state, forward, stopping > 0)
            del forward  # its features would lie beside all that the next step makes
            if finding is not None:
                raise TrainingError(finding.message(state.step))
            if saving or stopping:
                checkpointer.save(state)
            if stopping:
                checkpointer.wait()
                session.barrier()
                raise StoppedError(stopping, f"{recorder.title}, step {state.step} of {schedule.steps} is saved")
            profiler.step()


def update(
    state: TrainingState,
    batches: Iterator[Batch],
    session: Session | Local,
    schedule: Schedule,
    diagnostics: Diagnostics,
) -> ForwardPass:
    """One step of both players; each one's gradient is the mean over micro-batches.

    `state` is changed in place, but for its step. A step that is thrown away takes a `Local` session.

    Returns:
        The forward pass of the last micro-batch.
    """
    objective = state.objective
    for micro in range(schedule.accumulate):
        batch, last = next(batches), micro == schedule.accumulate - 1
        with session.exchanging_gradients(state.prepared, last):
            forward = objective.forward(batch, state.step / schedule.steps)
            with record_function("generators: losses"):
                generator = objective.generator_losses(forward)
            if last:
                diagnostics.measure_terms("generator", generator)
            if micro == 0:
                state.clear_gradients()
            with record_function("generators: gradients"):
                _backward(generator, session, schedule)
            with record_function("discriminators: losses"):
                discriminator = objective.discriminator_losses(forward)
            if last:
                diagnostics.measure_terms("discriminator", discriminator)
            with record_function("discriminators: gradients"):
                _backward(discriminator, session, schedule)
        state.unlogged_losses.append(_step_losses(state.step, generator, discriminator, batch))
    diagnostics.measure_step(state, forward)
    with record_function("optimizers"):
        session.step(state.optimizers().values())
        objective.clip_discriminators()
        session.average_buffers(state.modules)
    if state.average:
        with record_function("moving average"):
            state.average.update(state.modules, state.step)
    return forward


def update_discriminators(state: TrainingState, batches: Iterator[Batch], session: Session, schedule: Schedule) -> None:
    """One update of the discriminators alone, as a Wasserstein critic needs before each of the generators."""
    if state.discriminator is None:
        return
    for micro in range(schedule.accumulate):
        batch, last = next(batches), micro == schedule.accumulate - 1
        with (
            record_function("discriminators: updates of their own"),
            session.exchanging_gradients(state.prepared, last),
            state.objective.generators_frozen(),  # so that no graph of theirs is kept
        ):
            losses = state.objective.discriminator_losses(state.objective.forward(batch, state.step / schedule.steps))
            if micro == 0:
                state.clear_gradients()
            _backward(losses, session, schedule)
    with record_function("discriminators: updates of their own"):
        session.step([state.discriminator])
        state.objective.clip_discriminators()


def _backward(losses: dict[str, Tensor], session: Session | Local, schedule: Schedule) -> None:
    if losses:
        session.backward(torch.stack(list(losses.values())).sum() / schedule.accumulate)


def _step_losses(step: int, generator: dict[str, Tensor], discriminator: dict[str, Tensor], batch: Batch) -> StepLosses:
    """Both players' losses of one micro-batch, named `generator.term` and `discriminator.term`."""
    named = {f"generator.{name}": loss for name, loss in generator.items()}
    named.update({f"discriminator.{name}": loss for name, loss in discriminator.items()})
    keys = batch.source.key + (batch.target.key if batch.target else [])
    return StepLosses(step, list(named), torch.stack([loss.detach().float() for loss in named.values()]), keys)
