"""A profile of some training steps: where their time went, on one page, and a trace for a browser.

Parts are timed on the clock while torch's profiler records what runs in them. On a GPU each part waits for its own
kernels, or the time would stand with whichever part happens to wait next; a profiled step is slower by what that costs.
Nothing is computed otherwise, and a stage's result does not depend on whether it was profiled.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from segda.files import write_whole
from segda.step_parts import part, timed_by

WARM_UP = 5
"""Steps before the profiled ones, as far as there are so many: caches are cold, and loading processes begin."""

STEPS = 5
"""Steps that are profiled: few enough for a trace that a browser opens."""

PARTS = (
    "waiting for data", "generators: losses", "generators: gradients", "discriminators: losses",
    "discriminators: gradients", "discriminators: updates of their own", "optimizers", "moving average",
    "measuring and logging", "saving",
)  # fmt: skip
"""The parts that a step consists of, in its order. In them lie `term …` and `network …`."""

OPERATORS = 15

SUMMARY, TRACE = "profile.txt", "profile.json.gz"


class Profile:
    """Times the steps that come after a warm-up; begins with them and ends with them."""

    def __init__(
        self,
        folder: Path,
        title: str,
        networks: Mapping[str, nn.Module],
        steps: int,
        *,
        device: torch.device,
        tell: Callable[[str], None],
        wanted: bool,
    ) -> None:
        """Nothing is timed yet.

        Args:
            folder: gets `profile.txt` and `profile.json.gz`, replacing earlier ones.
            title: of the stage.
            networks: the networks by name, as they are called.
            steps: steps that are going to be made.
            device: where they are computed.
            tell: is told where the profile lies.
            wanted: otherwise nothing is done.
        """
        self.folder, self.title, self.networks, self.device, self.tell = folder, title, networks, device, tell
        # The first step also starts processes that load data, which are no part of it.
        self.first = min(WARM_UP, max(steps - STEPS, min(steps - 1, 1)))
        self.last = min(self.first + STEPS, steps) if wanted else -1
        self.seconds: dict[tuple[str, ...], float] = {}
        self.calls: dict[tuple[str, ...], int] = {}
        self._made, self._open, self._owner = 0, list[str](), threading.get_ident()
        self._running: ExitStack | None = None

    def begin_step(self, number: int) -> None:
        """Say that step `number`, counted from 0, begins."""
        if self.last < 0:
            return
        if self._made == self.first:
            self._start(number)
        elif self._made == self.last:
            self._finish()
        self._made += 1

    def __enter__(self) -> "Profile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            if error is None:
                self._finish()
            else:
                self._running.close()

    def _start(self, number: int) -> None:
        # Otherwise torch's recorder says on the terminal when it starts and stops.
        os.environ.setdefault("KINETO_LOG_LEVEL", "6")
        activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if self.device.type == "cuda" else [])
        with ExitStack() as stack:
            self._profiler = stack.enter_context(profile(activities=activities))
            stack.enter_context(timed_by(self._timed))
            for name, network in self.networks.items():
                stack.enter_context(_calls(name, network))
            self._running = stack.pop_all()
        self.number = number
        self._wait()
        self._began = time.perf_counter()

    def _finish(self) -> None:
        self._wait()
        whole = time.perf_counter() - self._began
        assert self._running is not None
        self._running.close()
        self._running = None
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / TRACE
            self._profiler.export_chrome_trace(str(path))
            write_whole(self.folder / TRACE, path.read_bytes())
        text = self.summary(whole, self._profiler.key_averages())
        write_whole(self.folder / SUMMARY, text.encode())
        self.tell(f"{_span(self.number, self.last - self.first)} profiled: {self.folder / SUMMARY}, trace in {TRACE}")

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        if threading.get_ident() != self._owner:  # a network that is called once more on the way back
            yield
            return
        self._open.append(name)
        place = tuple(self._open)
        self._wait()
        began = time.perf_counter()
        try:
            with record_function(name):
                yield
                self._wait()
        finally:
            self.seconds[place] = self.seconds.get(place, 0.0) + time.perf_counter() - began
            self.calls[place] = self.calls.get(place, 0) + 1
            self._open.pop()

    def summary(self, whole: float, operators: Any) -> str:
        """The page: parts with the terms in them, calls of networks, operators.

        Args:
            whole: seconds of all profiled steps.
            operators: as `torch.profiler` adds them up.
        """
        steps = self.last - self.first

        def row(name: str, seconds: float, calls: int) -> str:
            return f"{name:50}{1000 * seconds / steps:12.2f}{100 * seconds / whole:9.1f} %{calls / steps:10.1f}"

        head = f"{'':50}{'ms a step':>12}{'share':>11}{'calls':>10}"
        lines = [f"{self.title}, {_span(self.number, steps)}: {1000 * whole / steps:.2f} ms a step", "", head]
        rest = whole
        for name in PARTS:
            spent = self.seconds.get((name,), 0.0)
            lines.append(row(name, spent, self.calls.get((name,), 0)))
            rest -= spent
            lines += [
                row(f"  {place[1]}", self.seconds[place], self.calls[place])
                for place in self.seconds if place[:-1] == (name,) and place[1].startswith("term ")
            ]  # fmt: skip
        lines += [row("everything else", rest, steps), row("whole step", whole, steps)]
        lines += ["", "What two terms share, such as features, is computed in the first that asks for it.", "", head]
        for name in (f"network {network}" for network in self.networks):
            places = [place for place in self.seconds if place[-1] == name]
            lines.append(row(name, sum(map(self.seconds.get, places)), sum(map(self.calls.get, places))))  # type: ignore[arg-type]
        lines += ["", "Networks' calls lie in the parts above; their way back stands with the gradients.", "", head]
        lines += [row(f"{key[:49]}", *found) for key, found in self._operators(operators)]
        return "\n".join([*lines, "", "The operators with the most time of their own, calls of others left out.", ""])

    def _operators(self, operators: Any) -> list[tuple[str, tuple[float, int]]]:
        """Name, seconds and calls of the operators that took most."""
        own = {name for place in self.seconds for name in place}
        on_gpu = self.device.type == "cuda"
        found = [
            (each.key, ((each.self_device_time_total if on_gpu else each.self_cpu_time_total) / 1e6, each.count))
            for each in operators if each.key not in own
        ]  # fmt: skip
        return sorted(found, key=lambda each: -each[1][0])[:OPERATORS]


def _span(number: int, steps: int) -> str:
    return f"step {number + 1}" if steps == 1 else f"steps {number + 1} to {number + steps}"


@contextmanager
def _calls(name: str, network: nn.Module) -> Iterator[None]:
    """Make each call of a network a part of its own."""
    begun: list[AbstractContextManager[None]] = []

    def before(*_: Any) -> None:
        begun.append(part(f"network {name}"))
        begun[-1].__enter__()

    def after(*_: Any) -> None:
        begun.pop().__exit__(None, None, None)

    handles = network.register_forward_pre_hook(before), network.register_forward_hook(after, always_call=True)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
