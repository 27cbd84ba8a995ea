"""A profile of some training steps by `torch.profiler`: a page that says where their time went, and a trace."""

import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, schedule

from segda.files import write_whole
from segda.terminal.progress import ProgressLine

WARM_UP, STEPS = 5, 5
"""Steps before the profiled ones, in which caches fill and loading processes begin, and steps that are profiled."""

PARTS = (
    "waiting for data", "generators: losses", "generators: gradients", "discriminators: losses",
    "discriminators: gradients", "discriminators: updates of their own", "optimizers", "moving average",
    "measuring and logging", "saving",
)  # fmt: skip
"""The parts of a step, in its order; what lies in them begins with one of `INNER`."""

INNER = ("generators: term ", "discriminators: term ", "network ")

SUMMARY, TRACE = "profile.txt", "profile.json.gz"


class Profiler:
    """Profiles the steps that come after a warm-up; writes `profile.txt` and `profile.json.gz`, if `enabled`."""

    def __init__(
        self, folder: Path, progress: ProgressLine, start: int, steps: int, device: torch.device, *, enabled: bool
    ) -> None:
        """Nothing is profiled yet; `start` of `steps` steps were made before; `progress` says where the files are."""
        self._folder, self._progress, self._on_gpu = folder, progress, device.type == "cuda"
        warm_up = min(WARM_UP, max(steps - start - STEPS, min(steps - start - 1, 1)))
        self._first, self._last = start + warm_up + 1, min(start + warm_up + STEPS, steps)
        self._profile = None
        if enabled:
            # Otherwise torch's recorder says on the terminal when it starts and stops.
            os.environ.setdefault("KINETO_LOG_LEVEL", "6")
            active = self._last - self._first + 1
            self._profile = profile(
                activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * self._on_gpu,
                schedule=schedule(wait=max(warm_up - 1, 0), warmup=min(warm_up, 1), active=active, repeat=1),
                on_trace_ready=self._write,
            )

    def __enter__(self) -> "Profiler":
        if self._profile:
            # In a thread of its own, as is usual on a GPU, the backward pass would belong to no part.
            self._one_thread = torch.autograd.set_multithreading_enabled(not self._on_gpu)
            self._profile.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._profile:
            if error is not None:
                self._profile.on_trace_ready = None  # what was interrupted is no profile
            self._profile.stop()
            self._one_thread.__exit__(kind, error, trace)

    def step(self) -> None:
        """To be called after each step."""
        if self._profile:
            self._profile.step()

    def _write(self, finished: profile) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / TRACE
            finished.export_chrome_trace(str(path))
            write_whole(self._folder / TRACE, path.read_bytes())
        span = f"steps {self._first} to {self._last}" if self._first < self._last else f"step {self._first}"
        write_whole(self._folder / SUMMARY, f"{self._progress.title}, {span}: {summary(finished)}".encode())
        self._progress.print(f"{span} profiled: {self._folder / SUMMARY}, trace in {TRACE}")


def summary(finished: profile) -> str:
    """The page: a step's parts, the terms and networks in them, and operators; kernels of a GPU count where started."""
    averages = finished.key_averages()
    events = {each.key: each for each in averages if each.device_type == DeviceType.CPU}
    whole = events["ProfilerStep*"]
    steps, on_gpu = whole.count, whole.device_time_total > 0

    def row(name: str, spent: float, calls: int, on_device: float) -> str:
        shown = f"{name[:50]:50}{spent / 1000 / steps:12.2f}{100 * spent / whole.cpu_time_total:9.1f} %"
        return f"{shown}{calls / steps:10.1f}" + (f"{on_device / 1000 / steps:12.2f}" if on_gpu else "")

    def rows(names: list[str]) -> list[str]:
        there = [events[name] for name in names if name in events]
        return [row(each.key, each.cpu_time_total, each.count, each.device_time_total) for each in there]

    rest = whole.cpu_time_total - sum(events[name].cpu_time_total for name in PARTS if name in events)
    head = f"{'':50}{'ms a step':>12}{'share':>11}{'calls':>10}" + f"{'GPU ms':>12}" * on_gpu
    order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    lines = [
        f"{whole.cpu_time_total / 1000 / steps:.2f} ms a step", "", head, *rows(list(PARTS)),
        row("everything else", rest, steps, 0), row("whole step", whole.cpu_time_total, steps, whole.device_time_total),
        "", "In these parts; what two terms share, such as features, counts for the first that asks for it.", "",
        head, *rows(sorted(name for name in events if name.startswith(INNER))), "",
        averages.table(sort_by=order, row_limit=20, max_name_column_width=50),
    ]  # fmt: skip
    return "\n".join(lines)
