"""What a benchmark finds: our number beside the alternative's, the target, and the machine that gave both."""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch

LIBRARIES = ("torch", "numpy", "opencv-python-headless", "albumentations")


@dataclass(frozen=True)
class Figure:
    """One line of the table of benchmarks.

    Attributes:
        part: what of segda it is about: `data`, `training steps`, `memory`, `evaluation and export`, `start-up`,
            `growth`, `checkpoints`.
        what: what was measured, with sizes.
        other: what it is compared with; empty where there is only a limit.
        theirs: the alternative's number, in `unit`; `None` without one.
        ours: segda's number, in `unit`.
        unit: of both numbers.
        value: what the target speaks of: their ratio, or `ours`.
        bound: the target; `None` where there is none.
        sense: whether `value` is to be at least or at most `bound`.
        note: one sentence on how, or on why the target is missed.
    """

    part: str
    what: str
    ours: float
    unit: str
    value: float
    other: str = ""
    theirs: float | None = None
    bound: float | None = None
    sense: Literal["at least", "at most"] = "at least"
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; `None` where there is none."""
        if self.bound is None:
            return None
        return self.value >= self.bound if self.sense == "at least" else self.value <= self.bound


def line(figure: Figure) -> str:
    """A figure on one line of a terminal."""
    beside = "" if figure.theirs is None else f", {figure.other} {number(figure.theirs)} {figure.unit}"
    ratio = "" if figure.theirs is None else f", ratio {number(figure.value)}"
    told = "" if figure.bound is None else f"; target {figure.sense} {number(figure.bound)}: {outcome(figure)}"
    note = f" ({figure.note})" if figure.note else ""
    return f"{figure.part}: {figure.what}: {number(figure.ours)} {figure.unit}{beside}{ratio}{told}{note}"


def outcome(figure: Figure) -> str:
    """`met`, `missed by 12 %`, or nothing where there is no target."""
    if figure.met is None or figure.bound is None:
        return ""
    if figure.met:
        return "met"
    return f"missed by {100 * abs(figure.value - figure.bound) / figure.bound:.0f} %"


def number(value: float) -> str:
    """Three digits, without a power of ten for what is below a million."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine() -> str:
    """Processor, cores, load, system and libraries: without them no time means anything."""
    try:
        names = [each for each in Path("/proc/cpuinfo").read_text().splitlines() if each.startswith("model name")]
    except OSError:
        names = []
    name = names[0].split(":", 1)[1].strip() if names else platform.processor() or "unknown processor"
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    libraries = ", ".join(f"{each} {version(each)}" for each in LIBRARIES)
    return f"{name}, {os.cpu_count()} cores{load}{gpu}; Python {platform.python_version()}, {libraries}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that all benchmarks share."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")


def tell(figures: Sequence[Figure], given: argparse.Namespace) -> None:
    """Print the figures and the machine, and write them where `--json` says."""
    for figure in figures:
        print(line(figure))
    print(machine())
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "figures": [asdict(each) for each in figures]}))
