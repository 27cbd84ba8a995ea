"""The health of a training from its log: what went wrong, from which step to which, and the curves that show it."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segda.label_space import LabelSpace
from segda.report.charts import COLOURS, log_lines, titled, verbatim

Curve = list[tuple[int, float]]
"""Values by step."""


class Finding(NamedTuple):
    """Something that went wrong.

    Attributes:
        what: one sentence without full stop.
        since: the first step of the log that shows it.
        until: the first that no longer does, or that it lasted to the end, in words.
        series: the number that shows it, as `part.name` of a log line.
    """

    what: str
    since: int
    until: str
    series: str


class Health(NamedTuple):
    """The health of one training.

    Attributes:
        measured: how many lines of the log have norms and shares; none in logs of earlier versions.
        last: the last step in the log.
        findings: in the order in which they began.
        curves: by series.
        waiting: the share of the time that was spent waiting for data, in `[0, 1]`; `None` in logs of earlier versions.
    """

    measured: int
    last: int
    findings: list[Finding]
    curves: dict[str, Curve]
    waiting: float | None = None


def read(log: Path) -> Health | None:
    """The health that a `log.jsonl` shows, `None` if there is no such file or nothing in it."""
    lines = log_lines(log)
    if not lines:
        return None
    findings: list[Finding] = []
    curves: dict[str, Curve] = {}
    for line in lines:
        for name, value in _values(line):
            curves.setdefault(name, []).append((line["step"], value))
        health = line.get("health", {})
        findings += [Finding(new["what"], new["since"], "the end", new["series"]) for new in health.get("begun", ())]
        ended = {finding["what"]: str(finding["until"]) for finding in health.get("ended", ())}
        for index, finding in enumerate(findings):
            if finding.until == "the end" and finding.what in ended:
                findings[index] = finding._replace(until=ended[finding.what])
    waiting = [line["waiting"] for line in lines if isinstance(line.get("waiting"), int | float)]
    share = sum(waiting) / len(waiting) if waiting else None
    return Health(sum("gradients" in line for line in lines), lines[-1]["step"], findings, curves, share)


def figure(health: Health, space: LabelSpace) -> Figure | None:
    """Gradient norms, predicted classes and a curve for each finding, its steps shaded; `None` if none was measured."""
    colours = {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in zip(space.classes, space.palette, strict=True)}
    gradients = [(*name.partition("."), curve) for name, curve in health.curves.items()]
    norms = {name: curve for part, _, name, curve in gradients if part == "gradients"}
    domain = next((each for each in ("target", "source") if f"predicted.{each}" in health.curves), "")
    findings = [finding for finding in health.findings if _curve(health, finding)]
    panels = bool(norms) + bool(domain) + len(findings)
    if not panels:
        return None
    rows = math.ceil(panels / 2)
    drawn = Figure(figsize=(7.4, 0.2 + 2.1 * rows), layout="constrained")
    indices = iter(range(1, panels + 1))
    if norms:
        _norms(drawn.add_subplot(rows, 2, next(indices)), norms)
    if domain:
        _shares(drawn.add_subplot(rows, 2, next(indices)), health.curves, domain, colours)
    for finding in findings:
        _finding(drawn.add_subplot(rows, 2, next(indices)), health, finding)
    return drawn


def _norms(axes: Axes, norms: Mapping[str, Curve]) -> None:
    for index, (name, curve) in enumerate(norms.items()):
        positive = [(step, value) for step, value in curve if value > 0]
        if positive:
            whole = "." not in name
            title = f"{name}, all" if whole else name.partition(".")[2].replace("_", " ")
            title += " (D)" if name.startswith("discriminator.") else ""
            _line(axes, positive, COLOURS[index % len(COLOURS)], title, 1.4 if whole else 0.9)
    axes.set_yscale("log")
    verbatim(axes.legend(fontsize=6, frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(0, -0.12)))
    titled(axes, "gradient norms")


def _shares(axes: Axes, curves: Mapping[str, Curve], domain: str, colours: Mapping[str, str]) -> None:
    """Areas on top of one another, in the classes' colours."""
    steps = [step for step, _ in curves[f"predicted.{domain}"]]
    names = [name for name in colours if f"predicted.{domain}.{name}" in curves]
    shares = [dict(curves[f"predicted.{domain}.{name}"]) for name in names]
    if names:
        heights = np.array([[share.get(step, 0.0) for step in steps] for share in shares])
        axes.stackplot(steps, heights, colors=[colours[name] for name in names], linewidth=0)
    axes.set_ylim(0, 1)
    titled(axes, f"share of the classes predicted on the {domain}")


def _finding(axes: Axes, health: Health, finding: Finding) -> None:
    curve = _curve(health, finding)
    _line(axes, curve, COLOURS[6], "", 1.1)
    until = int(finding.until) if finding.until.isdigit() else curve[-1][0]
    axes.axvspan(finding.since, until, color=COLOURS[5], alpha=0.25, linewidth=0)
    if finding.series.startswith("gradients.") and all(value > 0 for _, value in curve):
        axes.set_yscale("log")
    titled(axes, finding.series.partition(".")[2].replace(".", ": ", 1).replace("_", " "))


def _line(axes: Axes, curve: Curve, colour: str, title: str, width: float) -> None:
    steps, values = zip(*curve, strict=True)
    axes.plot(steps, values, color=colour, linewidth=width, label=title, marker="." if len(steps) == 1 else "")


def _curve(health: Health, finding: Finding) -> Curve:
    """The curve that shows a finding; a class that a line lacks was predicted nowhere."""
    curve = health.curves.get(finding.series, [])
    part, domain, _ = (*finding.series.split(".", 2), "", "")[:3]
    if part == "predicted":
        share = dict(curve)
        return [(step, share.get(step, 0.0)) for step, _ in health.curves.get(f"predicted.{domain}", [])]
    return curve


def _values(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The values of a line by series; `predicted.<domain>` marks a line that has shares of classes."""
    for part in ("losses", "measures", "gradients"):
        for name, value in line.get(part, {}).items():
            if isinstance(value, int | float) and math.isfinite(value):
                yield f"{part}.{name}", float(value)
    for domain, shares in line.get("predicted", {}).items():
        yield f"predicted.{domain}", 1.0
        for name, share in shares.items():
            yield f"predicted.{domain}.{name}", float(share)
