"""One round of a soak: results are thrown away, made again under faults, and compared."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from segda.artefacts import manifest as manifests
from segda.files import sha256
from tools.soaking import damage as damages
from tools.soaking.damage import Stage
from tools.soaking.job import FAULTS, Job

DISTURBED_LIVES = 16
"""At most so many; the lives after them are left alone, and the first of them should finish."""


@dataclass
class Fault:
    """A fault and what came of it; the last three are columns of the table, explained in docs/soak.md."""

    kind: str
    processes: int
    survived: bool = True
    equal: bool = True
    lost: int = 0


@dataclass
class Round:
    """What happened between two whole states of a run: faults in order, and problems in words."""

    number: int
    job: Job
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, stage: str, detail: str) -> None:
        """Count a fault, and print it."""
        self.faults.append(Fault(kind, self.job.processes))
        print(f"{self.number:>5}  {self.job.processes:>9}  {kind:<35} {stage:<10} {detail}", flush=True)

    def fails(self, problem: str) -> None:
        """The last fault was not survived."""
        self.problems.append(problem)
        if self.faults:
            self.faults[-1].survived = False


def run(job: Job, number: int, random: Random) -> Round:
    """Throw some stages away, disturb the run until all is there again, and compare."""
    current = Round(number, job)
    stages = job.stages()
    for stage in random.sample(stages, random.randint(1, min(4, len(stages)))):
        shutil.rmtree(stage.folder)
    damaged: set[str] = set()
    force: list[str] = []
    for life_number in range(DISTURBED_LIVES + 6):
        disturbed = life_number < DISTURBED_LIVES
        if disturbed and random.random() < 0.6:
            force += damage(current, stages, damaged, random)
        before = untouched(stages, damaged)
        kind = random.choice(FAULTS[job.processes]) if disturbed else ""
        life = job.live(kind, force, random)
        refused = next((s for s in stages if s.name in damaged and s.is_refused(life.error())), None)
        if life.hit and kind and refused is None:
            current.add(kind, life.stage() or "(starting)", life.error())
        count_losses(current, before)
        if life.has_planned():
            force = []
            damaged.discard("")  # the run's lock file was written anew
        if refused is not None:
            shutil.rmtree(refused.folder)  # what the line asks for: the folder is moved away
        elif life.problem:
            current.fails(f"{kind or 'undisturbed'}: {life.problem}\n{life.text()[-3000:]}")
            return current
        elif life.code == 0:
            compare(current, stages)
            return current
    current.fails("the run does not come to its end")
    return current


def damage(current: Round, stages: Sequence[Stage], damaged: set[str], random: Random) -> list[str]:
    """Damage something; the stage that has to be forced, if no run sees what was done."""
    done = damages.inflict(stages, random)
    if done is None:
        return []
    current.add(done.kind, done.stage, str(done.path.relative_to(current.job.runs)))
    first = done.stage not in damaged  # of several faults of a stage that no life has repaired yet, one is named
    damaged.add(done.stage)
    if done.kind != damages.HIDDEN:
        return []
    if first and done.path.name not in current.job.verify():
        current.fails(f"status --verify does not name {done.path}")
    names = [stage.name for stage in stages]
    damaged.update(names[names.index(done.stage) :])  # what builds on it is made again, too
    return [done.stage]


def untouched(stages: Sequence[Stage], damaged: set[str]) -> dict[Path, tuple[int, int]]:
    """Size and time of every published file of the finished stages that nothing was done to."""
    finished = [stage for stage in stages if stage.name not in damaged and stage.is_finished()]
    return {path: _size_and_time(path) for stage in finished for path in stage.published()}


def count_losses(current: Round, before: dict[Path, tuple[int, int]]) -> None:
    """Count the published files that are no longer as they were."""
    lost = [path for path, seen in before.items() if not path.is_file() or seen != _size_and_time(path)]
    if lost and current.faults:
        current.fails(f"{len(lost)} published files are gone or were written again, {lost[0]} first")
        current.faults[-1].lost += len(lost)


def _size_and_time(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_mtime_ns


def published(stages: Sequence[Stage]) -> dict[str, str]:
    """The SHA-256 of every published file, read anew, and the metrics of the manifests.

    A report names times, so it only has to be there; an evaluation's own file is compared without its seconds.
    """
    contents = {}
    for stage in stages:
        if not stage.is_finished():
            continue
        contents[f"{stage.name}: metrics"] = str(manifests.load(stage.folder).metrics)
        for path in stage.published():
            content = sha256(path)
            if stage.kind == "report":
                content = "there"
            elif path.name == "evaluation.json":
                content = "\n".join(line for line in path.read_text().splitlines() if '"seconds"' not in line)
            contents[f"{stage.name}/{path.relative_to(stage.folder).as_posix()}"] = content
    return contents


def compare(current: Round, stages: Sequence[Stage]) -> None:
    """Compare the results of a finished round with those of the undisturbed run."""
    expected, actual = published(current.job.stages(reference=True)), published(stages)
    different = {name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name)}
    if not different:
        return
    current.problems.append(f"{len(different)} results differ or are missing, {min(different)} first")
    for fault in current.faults:
        fault.equal = False
    if current.faults:
        current.faults[-1].lost += len(expected.keys() - actual.keys())
