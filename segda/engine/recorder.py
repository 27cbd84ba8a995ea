"""What is recorded of a training: losses, norms, class shares, findings, and the time spent waiting for data."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.profiler import record_function

from segda.batch import Batch
from segda.engine import health
from segda.engine.diagnostics import Diagnostics, as_log_parts
from segda.engine.health import Finding, HealthPolicy
from segda.engine.log import Log
from segda.engine.session import Session
from segda.engine.state import StepLosses, TrainingState
from segda.engine.trackers import Trackers
from segda.objectives.forward_pass import ForwardPass


class TimedBatches:
    """Passes batches on and measures how long they take to arrive.

    A GPU that is still computing while its next batch is awaited is not idle: there the share is an upper bound.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self.batches = batches
        self.waited, self.since = 0.0, time.monotonic()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        began = time.monotonic()
        try:
            with record_function("waiting for data"):
                return next(self.batches)
        finally:
            self.waited += time.monotonic() - began

    def share(self) -> float:
        """The share of the time since the last call that was spent waiting, in `[0, 1]`."""
        now = time.monotonic()
        share = self.waited / max(now - self.since, 1e-9)
        self.waited, self.since = 0.0, now
        return round(min(share, 1.0), 3)


class Recorder:
    """Writes a line of the log every so many steps; losses are fetched from the device and checked at the same pace.

    Attributes:
        title: of the training.
        diagnostics: measures the steps that are logged.
        log: the log file, the progress line and the findings.
        trackers: get the same numbers as the log file.
    """

    def __init__(
        self, folder: Path, title: str, state: TrainingState, session: Session, *,
        steps: int, log_every: int, policy: HealthPolicy,
        trackers: Sequence[str] = (), config: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """Open `folder/log.jsonl`; `state` is at the step that training goes on from.

        A line is written every `log_every` steps and after the last of `steps`; `title` heads the progress line. The
        `trackers` that are named also get the stage's `config`.
        """
        self.title, self.session, self.policy = title, session, policy
        self.steps, self.log_every = steps, log_every
        self.diagnostics = Diagnostics(state, session, len(policy.classes), policy.labelled)
        self.log = Log(folder, title, state.step, steps, show=session.is_main, limits=policy.limits)
        self.trackers = Trackers(trackers, folder, state.step, config or {}, session, self.log.progress.print)

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The same batches; the log says how long they were waited for."""
        self._batches = TimedBatches(batches)
        return self._batches

    def begin_step(self, step: int, saving: bool) -> None:
        """Prepare for step number `step`; one that is saved is logged, so that nothing is saved unchecked."""
        self._drawing = saving or step == self.steps
        self.diagnostics.begin_step(active=self._drawing or step % self.log_every == 0)

    def record(self, state: TrainingState, forward: ForwardPass, stopping: bool) -> Finding | None:
        """Check the step just made, and write its line, if one is due; every process must call this.

        `forward` is of the step's last micro-batch. Where the training is `stopping`, losses are checked in any case.

        Returns:
            What the training must end at, the same on every process.

        Raises:
            ArtefactError: the log cannot be written.
        """
        if not (self.diagnostics.active or stopping):
            self.log.progress.update(state.step)
            return None
        with record_function("measuring and logging"):
            finding = not_finite(state.unlogged_losses, self.session)
            measured = as_log_parts(self.diagnostics.values, self.policy.classes, self.session)
            if finding is None and self.session.accelerator.scaler is None:  # fp16 skips such steps by itself
                finding = health.non_finite_gradient(state.step, measured)
            if finding is not None:
                self.log.write_fatal(state.step, finding)
                return finding
            return self._write(state, forward, measured) if self.diagnostics.active else None

    def _write(self, state: TrainingState, forward: ForwardPass, measured: dict[str, Any]) -> Finding | None:
        rates = {name: optimizer.param_groups[-1]["lr"] for name, optimizer in state.optimizers().items()}
        measures = {name: float(value) for name, value in state.objective.measures(forward).items()}
        losses = means(state.unlogged_losses, self.session)
        values = {"learning_rate": rates, "losses": losses, "measures": measures, **measured}
        waiting = self._batches.share()
        begun = self.log.write(state.step, values, waiting)
        self.trackers.log(state.step, {"waiting": waiting, **values})
        if self._drawing:
            self.trackers.draw(state.step, forward, self.policy.labelled)
        state.unlogged_losses = []
        if self.policy.on_bad_health == "report":
            return None
        finding: Finding | None = self.session.broadcast(begun[0] if begun else None)
        return finding

    def health(self) -> dict[str, Any]:
        """The findings so far, for the manifest; the main process has them."""
        return {"troubles": [finding.to_json() for finding in self.log.monitor.findings]}


def not_finite(unlogged: list[StepLosses], session: Session) -> Finding | None:
    """The first loss of any process that is not finite, among those not yet logged; on every process."""

    def own() -> Finding | None:
        stacked = torch.stack([losses.values for losses in unlogged])
        for losses, values in zip(unlogged, stacked.tolist(), strict=True):
            for name, value in zip(losses.names, values, strict=True):
                if not math.isfinite(value):
                    what = f"the loss {name} became {value} on {', '.join(losses.keys)}"
                    return Finding(what, f"losses.{name}", losses.step + 1, fatal=True)
        return None

    return next((finding for finding in session.gather_objects(own()) if finding is not None), None)


def means(unlogged: list[StepLosses], session: Session) -> dict[str, float]:
    """The mean of the losses not yet logged, over steps and processes."""
    mean = session.sum(torch.stack([losses.values for losses in unlogged]).mean(0)) / session.world
    return dict(zip(unlogged[0].names, mean.tolist(), strict=True))
