"""Is a training going wrong? Findings from the numbers in its log, each reported when it begins and when it ends.

Only what `log.jsonl` holds is looked at, so a restart comes to the same findings by reading the log again.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt

OnBadHealth = Literal["report", "stop"]

ADVERSARIAL = (".accuracy", "_accuracy")


@dataclass(frozen=True)
class Limits:
    """Where trouble begins. A finding counts once it has held in `lines` consecutive lines of the log.

    Attributes:
        lines: a single line is one batch, and proves nothing.
        saturated: a discriminator right on this share of what it sees teaches its opponents nothing: its loss is flat
            around them (Arjovsky and Bottou 2017, theorem 2.4).
        collapsed: a discriminator that gives every sample the same answer, so is right half the time, has collapsed if
            it loses this much more than one that guesses; if it loses no more, it was fooled, as it is meant to be.
        absent: a class with no more than this share of the predictions is not predicted; stray pixels are no class.
        predicted: a class is expected once it had this share of the predictions in half of at least `lines` lines.
        labelled: or once it has this share of the labels, in the mean of at least `learning` lines.
        learning: lines that a class may take until it is first predicted.
        exploding: factor of a player's gradient over its typical norm, the geometric mean of earlier lines. In healthy
            adversarial runs norms move by a factor of ten; those of single terms grow from next to nothing.
        harmless: no norm below it explodes: it is what gradients are usually clipped to.
        exploding_lines: lines that an explosion takes: it soon ends in numbers that are not finite.
        vanishing: a norm below it is none: Adam divides by no less than its epsilon, 1e-8.
    """

    lines: Annotated[int, Gt(0)] = 10
    saturated: Annotated[float, Gt(0.5)] = 0.995
    collapsed: Annotated[float, Ge(0)] = 0.1
    absent: Annotated[float, Ge(0), Lt(1)] = 1e-4
    predicted: Annotated[float, Gt(0)] = 1e-3
    labelled: Annotated[float, Gt(0)] = 0.05
    learning: Annotated[int, Gt(0)] = 30
    exploding: Annotated[float, Gt(1)] = 100.0
    harmless: Annotated[float, Ge(0)] = 1.0
    exploding_lines: Annotated[int, Gt(0)] = 3
    vanishing: Annotated[float, Ge(0)] = 1e-8


@dataclass(frozen=True)
class HealthPolicy:
    """How a training is monitored.

    Attributes:
        limits: where trouble begins.
        on_bad_health: what is done about it.
        classes: names of the classes whose shares are measured; with none, they are not.
        labelled: the domain that the labelled samples are of: an oracle's are the target's.
    """

    limits: Limits = Limits()
    on_bad_health: OnBadHealth = "report"
    classes: tuple[str, ...] = ()
    labelled: Literal["source", "target"] = "source"


@dataclass
class History:
    """What earlier lines have shown: what is typical, and which classes can be expected.

    Attributes:
        lines: number of lines with predictions, and with labels.
        present: lines in which a class was predicted.
        labelled: sum of a class's shares of the labels.
        expected: classes that appeared often enough to be missed.
        norms: number of lines and sum of logarithms of each gradient's norm, where it was neither zero nor exploding.
    """

    lines: Counter[str] = field(default_factory=Counter)
    present: Counter[str] = field(default_factory=Counter)
    labelled: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    expected: set[str] = field(default_factory=set)
    norms: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass
class Finding:
    """Something that is wrong, from one line of the log to another.

    Attributes:
        what: one sentence without full stop.
        series: the number that shows it, as `part.name` of a log line.
        since: the first step of the log that shows it.
        until: the first that no longer does; `None` while it lasts.
        fatal: no training can go on with it.
    """

    what: str
    series: str
    since: int
    until: int | None = None
    fatal: bool = False

    def message(self, step: int) -> str:
        """The error of a training that this finding stops after `step` steps."""
        if self.fatal:
            return (
                f"step {self.since - 1}: {self.what}; the last checkpoint is untouched: lower its weight or the "
                "learning rate, or use mixed_precision: no"
            )
        return (
            f"step {step}: {self.what} (since step {self.since}); the last checkpoint is untouched: change the weights "
            "or the learning rate, or go on with runtime.on_bad_health: report"
        )

    def to_json(self) -> dict[str, Any]:
        """For the log and the manifest."""
        return {"what": self.what, "series": self.series, "since": self.since, "until": self.until}


Signs = dict[str, tuple[str, str, int]]
"""What one line shows: a name for each sign, with its sentence, its series and how many lines make it a finding."""


def discriminators(line: Mapping[str, Any], limits: Limits) -> Signs:
    """Discriminators that are always right, or that give every sample the same answer and are sure of it."""
    signs: Signs = {}
    measures = line.get("measures", {})
    for name, accuracy in measures.items():
        if name.endswith(ADVERSARIAL):
            of, series = name.removesuffix("accuracy").rstrip("._"), f"measures.{name}"
            advantage = measures.get(f"{name.removesuffix('accuracy')}advantage", 0.0)
            if accuracy >= limits.saturated:
                what = f"the discriminator of {of} is always right, so nothing can be learnt from it"
                signs[f"sure {name}"] = (what, series, limits.lines)
            elif accuracy == 0.5 and advantage < -limits.collapsed:
                what = f"the discriminator of {of} has collapsed: it gives every sample the same answer"
                signs[f"same {name}"] = (what, series, limits.lines)
    return signs


def classes(line: Mapping[str, Any], past: History, limits: Limits) -> Signs:
    """Classes that are no longer predicted: on the target, where it is predicted at all, else on the source."""
    shares = line.get("predicted", {})
    domain = "target" if "target" in shares else "source"
    if domain not in shares:
        return {}
    past.lines["predicted"] += 1
    past.present.update(name for name, share in shares[domain].items() if share >= limits.predicted)
    if past.lines["predicted"] >= limits.lines:
        past.expected |= {name for name, count in past.present.items() if 2 * count >= past.lines["predicted"]}
    for labels in line.get("labelled", {}).values():  # of the one domain that has some
        past.lines["labelled"] += 1
        for name, share in labels.items():
            past.labelled[name] += share
        if past.lines["labelled"] >= limits.learning:
            least = limits.labelled * past.lines["labelled"]
            past.expected |= {name for name, total in past.labelled.items() if total >= least}
    # Of all classes seen so far, so that one that is expected only later has been missing since it was gone.
    seen = past.present.keys() | past.labelled.keys()
    return {
        f"class {name}": (
            f"the class {name} is not predicted on the {domain}", f"predicted.{domain}.{name}", limits.lines
        )
        for name in sorted(seen)
        if shares[domain].get(name, 0.0) <= limits.absent
    }  # fmt: skip


def gradients(line: Mapping[str, Any], past: History, limits: Limits) -> Signs:
    """Gradients of players that are far above what is typical for them, and gradients that are gone.

    Of single terms, those with a discriminator are missed when they are gone; others may be satisfied.
    """
    signs: Signs = {}
    adversarial = {name.partition(".")[0] for name in line.get("measures", {}) if name.endswith(ADVERSARIAL)}
    for name, norm in line.get("gradients", {}).items():
        count, total = past.norms.get(name, (0, 0.0))
        player, _, term = name.partition(".")
        of = f"{term} ({player})" if term else f"the {player}"
        typical = math.exp(total / count) if count >= limits.lines else math.inf
        if norm is None or (not term and norm > max(limits.exploding * typical, limits.harmless)):
            signs[f"exploding {name}"] = (f"the gradient of {of} explodes", f"gradients.{name}", limits.exploding_lines)
        elif norm < limits.vanishing:
            if not term or (term in adversarial and count):
                signs[f"vanishing {name}"] = (f"the gradient of {of} has vanished", f"gradients.{name}", limits.lines)
        else:
            past.norms[name] = (count + 1, total + math.log(norm))
    return signs


def non_finite_gradient(step: int, line: Mapping[str, Any]) -> Finding | None:
    """A player's gradient that is not finite in the step just made: its networks are lost."""
    for name, norm in line.get("gradients", {}).items():
        if norm is None and "." not in name:
            return Finding(f"the gradient of the {name} is not finite", f"gradients.{name}", step, fatal=True)
    return None


class HealthMonitor:
    """Reads a log line by line and collects what is wrong.

    Attributes:
        findings: all so far, in the order in which they began.
    """

    def __init__(self, limits: Limits, lines: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begin with the lines that a training has already written."""
        self.limits = limits
        self.findings: list[Finding] = []
        self._past = History()
        self._runs: dict[str, tuple[int, int]] = {}
        self._open: dict[str, Finding] = {}
        for line in lines:
            self.read(line)

    def read(self, line: Mapping[str, Any]) -> tuple[list[Finding], list[Finding]]:
        """Read one line; returns the findings that begin with it and those that end."""
        step = int(line["step"])
        signs = {
            **discriminators(line, self.limits),
            **classes(line, self._past, self.limits),
            **gradients(line, self._past, self.limits),
        }
        self._runs = {
            name: (self._runs[name][0], self._runs[name][1] + 1) if name in self._runs else (step, 1) for name in signs
        }
        begun, ended = [], []
        for name in [name for name in self._open if name not in signs]:
            finding = self._open.pop(name)
            finding.until = step
            ended.append(finding)
        for name, (what, series, lines) in signs.items():
            since, held = self._runs[name]
            missed = not name.startswith("class ") or name.removeprefix("class ") in self._past.expected
            if name not in self._open and held >= lines and missed:
                self._open[name] = Finding(what, series, since)
                begun.append(self._open[name])
        self.findings += begun
        return begun, ended
