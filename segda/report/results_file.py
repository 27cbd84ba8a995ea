"""Scores of runs: collected from the runs' folders, or read from a results file, which needs no run."""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segda.artefacts import manifest as manifests
from segda.artefacts.checked_json import EACH, require
from segda.artefacts.key import digest
from segda.artefacts.manifest import Manifest, read_json
from segda.artefacts.store import Store
from segda.errors import ArtefactError
from segda.files import write_whole

SCHEMA = 1
_MACHINE = ("platform", "cpu", "threads", "device", "mixed_precision", "world_size", "python")
_NOT_COMPARED = ("seed", "runtime", "title")  # of a config: what may differ between the seeds of one table
_SCORED: dict[str, Any] = {
    "seed": int, "evaluations": {EACH: {"protocol": dict, "confusion": {"classes": list, "counts": list}}},
    "origin": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Scored:
    """One finished `evaluate` stage of one run, or an `average` stage over several of them.

    Attributes:
        pipeline: the run's name without its seed.
        stage: the stage's name.
        seed: of the run.
        settings: 8 hexadecimal digits of the run's config without its seed; runs that share them are one experiment.
        evaluations: row name to an evaluation's JSON, with protocol and confusion counts.
        origin: `run`, `commands`, `git` and `dirty` (the code that evaluated), `finished`, `seconds` by stage,
            `machine` and `packages`, as far as the manifests say.
        picks: row name to the criteria of `segda select` that pick it, and "target labels (oracle)".
    """

    pipeline: str
    stage: str
    seed: int
    settings: str
    evaluations: dict[str, dict[str, Any]]
    origin: dict[str, Any]
    picks: dict[str, list[str]] = field(default_factory=dict)


def of_run(store: Store, run: str) -> list[Scored]:
    """The scores of a run's finished `evaluate` stages, averages in place of what they are over; empty for none.

    Raises:
        ArtefactError: no such run, or a result is damaged.
    """
    lock = store.read_lock(run)
    try:
        seed = int(lock["config"].get("seed") or 0)
        settings = digest({key: value for key, value in lock["config"].items() if key not in _NOT_COMPARED})[:8]
        finished = dict(_finished(store, lock["stages"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtefactError(f"{store.lock_path(run)}: not the lock file of a run ({error!r}); run it again") from None
    pipeline = run.removesuffix(f"-seed{seed}")
    averages = [manifest for _, manifest in finished.values() if manifest.kind == "average"]
    averaged = {origin["folder"] for manifest in averages for origin in manifest.inputs.values()}
    scored = []
    for stage, (folder, manifest) in finished.items():
        if manifest.kind == "average" or (manifest.kind == "evaluate" and folder.name not in averaged):
            manifests.verify(folder, full=True)
            evaluations = read_json(folder / "evaluation.json")
            origin = _origin(run, stage, finished)
            scored.append(Scored(pipeline, stage, seed, settings, evaluations, origin, _picks(store, run)))
    return scored


def read(path: Path) -> list[Scored]:
    """The content of a results file.

    Raises:
        ArtefactError: the file cannot be read or is not a results file.
    """
    if not path.exists():
        raise ArtefactError(f"{path}: no such file; correct the path, or write one: segda table RUNS --save {path}")
    content = read_json(path)
    if content.get("schema") != SCHEMA or not isinstance(content.get("runs"), list):
        raise ArtefactError(f"{path}: not a results file of schema {SCHEMA}; write one: segda table RUNS --save {path}")
    for run in content["runs"]:
        require(path, run, _SCORED, f"write it again: segda table RUNS --save {path}")
    try:
        return [Scored(**run) for run in content["runs"]]
    except TypeError as error:
        raise ArtefactError(f"{path}: damaged ({error}); write it again: segda table RUNS --save {path}") from None


def write(path: Path, scored: Sequence[Scored]) -> None:
    """Write a results file: one line an evaluation, so that a diff of two files is readable.

    Raises:
        ArtefactError: the file cannot be written, or it holds runs that are not among `scored`.
    """
    written = {(run.pipeline, run.seed) for run in scored}
    held: list[Scored] = []
    with contextlib.suppress(ArtefactError):  # of a damaged file nothing is lost
        held = read(path)
    lost = [run for run in held if (run.pipeline, run.seed) not in written]
    if lost:
        names = ", ".join(dict.fromkeys(f"{run.pipeline} seed {run.seed}" for run in lost))
        raise ArtefactError(
            f"{path}: holds {names}, which would be lost; name the file among the runs, too: segda table {path} … "
            f"--save {path}, or save as another file"
        )
    runs = []
    for run in scored:
        fields = asdict(run)
        evaluations = fields.pop("evaluations")
        lines = ",\n".join(f"   {_line(name)}: {_line(evaluation)}" for name, evaluation in evaluations.items())
        rest = ",\n".join(f"  {_line(name)}: {_line(value)}" for name, value in fields.items())
        runs.append(f'  {{\n{rest},\n  "evaluations": {{\n{lines}\n  }}}}')
    text = f'{{\n "schema": {SCHEMA},\n "runs": [\n' + ",\n".join(runs) + "\n ]\n}\n"
    write_whole(path, text.encode("utf-8"))


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _picks(store: Store, run: str) -> dict[str, list[str]]:
    """The criteria that pick each row of a run, with the step of a checkpoint; empty without `segda select`.

    Raises:
        ArtefactError: the file is damaged.
    """
    path = store.root / f"{run}.selection.json"
    if not path.is_file():
        return {}
    content = read_json(path)
    picks: dict[str, list[str]] = {}
    try:
        picked = {criterion: pick["candidate"] for criterion, pick in content["picks"].items()}
        if content["oracle"]:
            picked["target labels (oracle)"] = content["oracle"]["candidate"]
        for criterion, name in picked.items():
            candidate = content["candidates"][name]
            step = "" if candidate["step"] is None else f" at step {candidate['step']}"
            picks.setdefault(candidate["row"], []).append(f"{criterion}{step}")
    except (KeyError, TypeError, AttributeError) as error:
        remedy = f"write it again: segda select {run} --target …"
        raise ArtefactError(f"{path}: not a selection ({error!r}); {remedy}") from None
    return picks


def _finished(store: Store, stages: dict[str, dict[str, Any]]) -> Iterator[tuple[str, tuple[Path, Manifest]]]:
    """Name, folder and manifest of every finished stage."""
    for name, entry in stages.items():
        folder = store.root / (entry["folder"] or "")
        if entry["folder"] and (folder / manifests.FILE_NAME).is_file():
            yield name, (folder, manifests.load(folder))


def _origin(run: str, stage: str, finished: dict[str, tuple[Path, Manifest]]) -> dict[str, Any]:
    """Run, code and machine of the scores, as the manifests say."""
    own = finished[stage][1].provenance
    commands = (manifest.provenance.get("command") for _, manifest in finished.values())
    return {
        "run": run,
        "commands": list(dict.fromkeys(_portable(command) for command in commands if command)),
        "git": own.get("git"),
        "dirty": own.get("dirty"),
        "finished": own.get("finished"),
        "seconds": {name: manifest.provenance.get("seconds") for name, (_, manifest) in finished.items()},
        "machine": {key: own[key] for key in _MACHINE if key in own},
        "packages": own.get("packages", {}),
    }


def _portable(command: str) -> str:
    """A command as others would type it: `python -m pipelines` is segda, and `--runs` depends on the machine."""
    return re.sub(r" --runs[ =]\S+", "", command.replace("__main__.py", "segda", 1))
