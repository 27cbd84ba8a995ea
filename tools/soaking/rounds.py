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
from tools.soaking.job import ONE_PROCESS, TWO_PROCESSES, Job

DISTURBED_LIVES = 16
"""At most so many; the lives after them are left alone, and the first of them should finish."""

LOCK = ""
"""Among the damaged stages it stands for the run's lock file, which is no stage's."""


@dataclass
class Fault:
    """One thing that was done to a run, and what came of it.

    Attributes:
        kind: in words.
        processes: of the run.
        survived: whether the run ended as it should, and went on to the end later.
        equal: whether the results of its round are those of the undisturbed run.
        lost: published files that are gone since, or were written again although nothing was done to them.
    """

    kind: str
    processes: int
    survived: bool = True
    equal: bool = True
    lost: int = 0


@dataclass
class Round:
    """What happened between two whole states of a run: faults in order, and what must not have happened, in words."""

    number: int
    job: Job
    faults: list[Fault] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, stage: str, detail: str) -> None:
        """Count a fault, and tell."""
        self.faults.append(Fault(kind, self.job.processes))
        print(f"{self.number:>5}  {self.job.processes:>9}  {kind:<35} {stage:<10} {detail}", flush=True)

    def fails(self, problem: str) -> None:
        """The last fault was not survived."""
        self.problems.append(problem)
        if self.faults:
            self.faults[-1].survived = False


def run(job: Job, number: int, chance: Random) -> Round:
    """Throw some stages away, disturb the run until all is there again, and compare."""
    made = Round(number, job)
    stages = job.stages()
    for stage in chance.sample(stages, chance.randint(1, min(4, len(stages)))):
        shutil.rmtree(stage.folder)
    damaged: set[str] = set()
    force: list[str] = []
    for lived in range(DISTURBED_LIVES + 6):
        alone = lived >= DISTURBED_LIVES
        if not alone and chance.random() < 0.6:
            force += _damage(made, stages, damaged, chance)
        before = _untouched(stages, damaged)
        kind = "" if alone else chance.choice(ONE_PROCESS if job.processes == 1 else TWO_PROCESSES)
        outcome = job.live(kind, force, chance)
        refused = next((s for s in stages if s.name in damaged and s.is_refused(outcome.error)), None)
        if outcome.hit and kind and refused is None:
            made.add(kind, outcome.life.stage(), outcome.error)
        _look_for_losses(made, before)
        if outcome.planned:
            force = []
            damaged.discard(LOCK)  # written anew
        if refused is not None:
            shutil.rmtree(refused.folder)  # what the line asks for: the folder is moved away
        elif outcome.problem:
            made.fails(f"{kind or 'undisturbed'}: {outcome.problem}\n{outcome.life.text()[-3000:]}")
            return made
        elif outcome.life.code == 0:
            _compare(made, stages)
            return made
    made.fails("the run does not come to its end")
    return made


def _damage(made: Round, stages: Sequence[Stage], damaged: set[str], chance: Random) -> list[str]:
    """Damage something; the stage that has to be forced, where no run sees what was done."""
    done = damages.inflict(stages, chance)
    if done is None:
        return []
    made.add(done.kind, done.stage, str(done.path.relative_to(made.job.runs)))
    first = done.stage not in damaged  # of several faults of a stage that no life has mended yet, one is named
    damaged.add(done.stage)
    if not done.hidden:
        return []
    # Without a lock file, which names the stages of a run, there is nothing to verify.
    if first and LOCK not in damaged and done.path.name not in made.job.verify():
        made.fails(f"status --verify does not name {done.path}")
    names = [stage.name for stage in stages]
    damaged.update(names[names.index(done.stage) :])  # what builds on it is made again, too
    return [done.stage]


def _untouched(stages: Sequence[Stage], damaged: set[str]) -> dict[Path, tuple[int, int]]:
    """Size and time of every published file of the finished stages that nothing was done to."""
    finished = [stage for stage in stages if stage.name not in damaged and stage.is_finished()]
    return {path: _size_and_time(path) for stage in finished for path in stage.published()}


def _look_for_losses(made: Round, before: dict[Path, tuple[int, int]]) -> None:
    """What was published stays as it is."""
    lost = [path for path, known in before.items() if not path.is_file() or known != _size_and_time(path)]
    if lost and made.faults:
        made.fails(f"{len(lost)} published files are gone or were written again, {lost[0]} first")
        made.faults[-1].lost += len(lost)


def _size_and_time(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_mtime_ns


def published(stages: Sequence[Stage]) -> dict[str, str]:
    """What the stages leave: the SHA-256 of every published file, read anew, and the metrics of their manifests.

    A report tells times, so it only has to be there; an evaluation's own file is compared without its seconds.
    """
    found = {}
    for stage in stages:
        if not stage.is_finished():
            continue
        found[f"{stage.name}: metrics"] = str(manifests.load(stage.folder).metrics)
        for path in stage.published():
            content = sha256(path)
            if stage.kind == "report":
                content = "there"
            elif path.name == "evaluation.json":
                content = "\n".join(line for line in path.read_text().splitlines() if '"seconds"' not in line)
            found[f"{stage.name}/{path.relative_to(stage.folder).as_posix()}"] = content
    return found


def _compare(made: Round, stages: Sequence[Stage]) -> None:
    """The results of a finished round beside those of the undisturbed run."""
    expected, found = published(made.job.stages(reference=True)), published(stages)
    missing = expected.keys() - found.keys()
    different = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    if not different:
        return
    made.problems.append(f"{len(different)} results differ or are missing, {min(different)} first")
    for fault in made.faults:
        fault.equal = False
    if made.faults:
        made.faults[-1].lost += len(missing)
