"""Runs benchmarks: turns, fresh processes, figures, and the table of docs/benchmarks.md.

A benchmark is a file of this folder with a function `measure`, whose parameters all have defaults; it returns figures.
"""

import importlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from segda.files import write_whole

ROOT = Path(__file__).parent.parent.parent
START, END = "<!-- table -->\n", "<!-- end -->"
NAMES = (
    "checkpoints", "counting", "data", "evaluation", "export", "growth", "memory", "peers", "scaling", "startup",
    "steps",
)  # fmt: skip
HEAD = """| benchmark | what | segda | alternative | ratio or value | target | outcome | note |
|---|---|---:|---|---:|---|---|---|
"""
T = TypeVar("T")
Name = TypeVar("Name")


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    what: str  # with sizes
    ours: float
    unit: str  # of both numbers
    value: float  # what the target is about: the ratio of the two numbers, or `ours`
    other: str = ""  # the alternative, if there is one
    theirs: float | None = None
    bound: float | None = None  # the target, if there is one
    sense: Literal["at least", "at most"] = "at least"
    note: str = ""  # how it was measured, or why the target is missed

    def cells(self) -> list[str]:
        """The columns of the table, from `what` on."""
        ours, value, other, target, outcome = f"{number(self.ours)} {self.unit}", number(self.value), "", "", ""
        if self.theirs is None:
            value = f"{value} {self.unit}"
        else:
            other = f"{self.other}: {number(self.theirs)} {self.unit}"
        if self.bound is not None:
            target = f"{self.sense} {number(self.bound)}"
            met = self.value >= self.bound if self.sense == "at least" else self.value <= self.bound
            outcome = "met" if met else f"missed by {100 * abs(self.value - self.bound) / self.bound:.0f} %"
        return [self.what, ours, other, value, target, outcome, self.note]


def number(value: float) -> str:
    """Three digits; no power of ten below a million."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Seconds(NamedTuple):
    """Of the clock, and of all cores together."""

    clock: float
    cores: float


def seconds(work: Callable[..., object], *args: Any, **options: Any) -> Seconds:
    """How long a call takes."""
    clock, cores = time.perf_counter(), time.process_time()
    work(*args, **options)
    return Seconds(time.perf_counter() - clock, time.process_time() - cores)


def turns(sides: Mapping[Name, Callable[[], T]], rounds: int, warm_up: int = 0) -> dict[Name, list[T]]:
    """What the sides return in `rounds` turns after `warm_up` others, so that all meet the machine's better moments."""
    rows = [[call() for call in sides.values()] for _ in range(warm_up + rounds)]
    return dict(zip(sides, map(list, zip(*rows[warm_up:], strict=True)), strict=True))


def medians(sides: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 0) -> dict[str, float]:
    """The median seconds of the sides' calls, in turns."""
    times = turns({name: lambda call=call: seconds(call).clock for name, call in sides.items()}, rounds, warm_up)  # type: ignore[misc]
    return {name: statistics.median(each) for name, each in times.items()}


def in_fresh_process(function: Callable[..., T], *args: object, limit: float | None = None) -> T:
    """What a function of a module returns in a new interpreter, once that has exited.

    Raises:
        TimeoutError: it took more than `limit` seconds, and was ended.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        future = pool.submit(function, *args)
        if not wait([future], limit).done:
            for child in multiprocessing.active_children():
                child.kill()
            raise TimeoutError(f"not done after {limit:.0f} s")
        return future.result()


def segda(*words: str, **variables: str) -> None:
    """Run `segda WORDS` in a process of its own, with further environment variables."""
    command = [sys.executable, "-m", "pipelines", *words]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"segda {' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def machine() -> str:
    """Processor, cores, load and libraries."""
    from pipelines.running.provenance import provenance
    from segda.engine.session import Session

    origin = provenance(Session(cpu=True), seconds=0)
    names = ("torch", "numpy", "opencv-python-headless")
    libraries = ", ".join(f"{name} {origin['packages'][name]}" for name in names)
    load = os.getloadavg()[0]
    return f"{origin['cpu']}, {os.cpu_count()} cores, load {load:.1f}; Python {origin['python']}, {libraries}"


def run(name: str, **options: Any) -> dict[str, Any]:
    """Measure one benchmark here and print its figures; returns `machine`, `figures` and `seconds`."""
    start = time.monotonic()
    figures: list[Figure] = importlib.import_module(f"tools.bench.{name}").measure(**options)
    for figure in figures:
        print(" | ".join(filter(None, figure.cells())))
    print(machine(), flush=True)
    spent = round(time.monotonic() - start)
    return {"machine": machine(), "figures": [asdict(figure) for figure in figures], "seconds": spent}


def run_all(page: Path) -> int:
    """Measure all, each in a process of its own, into a page and its JSON; 1 when one failed."""
    failed, measured = [], {}
    for name in NAMES:
        print(f"-- {name}", flush=True)
        try:
            measured[name] = in_fresh_process(run, name)
        except Exception as error:  # the others go on
            print(f"{name}: FAILED: {error!r}", file=sys.stderr, flush=True)
            failed.append(name)
    results = {"date": date.today().isoformat(), "commit": commit(), "failed": failed, "benchmarks": measured}
    text = with_table(page.read_text(encoding="utf-8"), render(results))
    write_whole(page.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    write_whole(page, text.encode())
    return 1 if failed else 0


def render(results: Mapping[str, Any]) -> str:
    """The table and what stands below it, from what docs/benchmarks.json holds."""
    measured = results["benchmarks"]
    text = HEAD
    for name, benchmark in measured.items():
        for figure in benchmark["figures"]:
            cells = [name, *Figure(**figure).cells()]
            text += f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
    text += "".join(f"\n`{name}` failed, and is not in the table." for name in results["failed"]) + "\n"
    text += "".join(f"Machine: {each}.\n" for each in dict.fromkeys(one["machine"] for one in measured.values()))
    spent = ", ".join(f"`{name}` {benchmark['seconds']}" for name, benchmark in measured.items())
    return f"{text}{results['date']}, commit {results['commit']}, seconds: {spent or 'none'}.\n"


def with_table(page: str, table: str) -> str:
    """The page with the table between its markers, which must be there."""
    before, rest = page.split(START)
    return before + START + table + END + rest.split(END)[1]


def commit() -> str:
    """The commit that is measured, with `changed` where files differ from it."""
    command = ["git", "describe", "--always", "--dirty= (changed)", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip() or "unknown"
