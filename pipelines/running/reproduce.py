"""Make a recorded result again, from its manifest or its run's lock file, and say whether it came out the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.definition.loading import LAUNCH
from pipelines.planning.plan import StagePlan
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import LOCK_ENDING, Store
from segda.config import loading as configs
from segda.errors import ArtefactError, ConfigError

_TOP = ("task", "seed")  # of a stage's config: what a pipeline says once, at its top
#: What a result may depend on besides its config, packages and the environment's variables.
_MACHINE = (
    "git", "dirty", "python", "platform", "cpu", "threads", "device", "gpu", "driver", "cuda", "cudnn",
    "mixed_precision", "deterministic", "world_size",
)  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A recorded result that is to be made again.

    Attributes:
        run: the name of the run.
        raw: its config, as plain data.
        root: the folder of runs that it lies in.
        finished: stage to what its manifest says; stages without a result are made, and compared with nothing.
    """

    run: str
    raw: dict[str, Any]
    root: Path
    finished: dict[str, Manifest]

    def refuse(self, runs: Path) -> None:
        """Refuse to repeat a result where it lies: all of it would be found finished.

        Raises:
            ConfigError: `runs` is its own folder.
        """
        if runs.resolve() == self.root.resolve():
            raise ConfigError(f"--runs: {runs} is where the result lies; name an empty folder to make it again in")


def read(path: Path) -> Recorded:
    """The result that a lock file, a manifest or a stage's folder records.

    A lock file means its whole run; a manifest means its stage and all that this was made from.

    Raises:
        ArtefactError: it is none of these, or is damaged.
    """
    if path.name.endswith(LOCK_ENDING):
        return _of_run(path)
    folder = path.parent if path.name == manifests.FILE_NAME else path
    if not (folder / manifests.FILE_NAME).is_file():
        raise ArtefactError(
            f"{path}: no record of a result; name a stage's {manifests.FILE_NAME}, or a run's {LOCK_ENDING.lstrip('.')}"
        )
    return _of_stage(folder)


def _of_run(path: Path) -> Recorded:
    store, run = Store(path.parent), path.name.removesuffix(LOCK_ENDING)
    lock = store.read_lock(run)
    if not isinstance(lock.get("config"), dict) or not isinstance(lock["config"].get("stages"), dict):
        raise ArtefactError(f"{path}: no config in it; run it again")
    folders = {stage: store.root / entry["folder"] for stage, entry in lock["stages"].items() if entry["folder"]}
    return Recorded(run, lock["config"], store.root, {
        stage: manifests.load(folder) for stage, folder in folders.items() if (folder / manifests.FILE_NAME).is_file()
    })  # fmt: skip


def _of_stage(folder: Path) -> Recorded:
    """A pipeline of a stage and those that it was made from, each as its manifest says."""
    upstream = manifests.upstream(folder.resolve())
    names: dict[Path, str] = {}
    for path, manifest in upstream.items():
        # Stages of other runs may have the same name; their folders differ.
        names[path] = manifest.stage if manifest.stage not in names.values() else path.name
    stages = {}
    for path, manifest in upstream.items():
        references = {
            name: names[path.parent / origin["folder"]]
            for name, origin in manifest.inputs.items() if origin.get("folder")
        }  # fmt: skip
        config = _renamed(manifest.config, references)
        stages[names[path]] = {key: value for key, value in config.items() if key not in _TOP}
    last = upstream[folder.resolve()]
    top = {key: last.config[key] for key in _TOP if key in last.config}
    raw = {**top, "runtime": last.config.get("runtime", {}), "stages": stages}
    run = str(last.provenance.get("run") or last.stage).replace("/", "_")
    return Recorded(f"{run}-{last.stage}", raw, folder.resolve().parent, {
        names[path]: manifest for path, manifest in upstream.items()
    })  # fmt: skip


def _renamed(node: Any, names: Mapping[str, str], path: str = "") -> Any:
    """A config in which the references at some paths have other names."""
    if path in names and isinstance(node, dict):
        return {**node, "from": names[path]}
    if isinstance(node, dict):
        return {key: _renamed(value, names, f"{path}.{key}" if path else str(key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(value, names, f"{path}.{number}") for number, value in enumerate(node)]
    return node


def with_settings(raw: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """A config in which settings such as `runtime.cpu=true` hold for every stage; none but `pack` is in a key.

    Raises:
        ConfigError: a setting cannot be read.
    """
    for parts, value in map(configs.parse_setting, settings):
        stages = {name: configs.apply_setting(stage, parts, value) for name, stage in raw["stages"].items()}
        raw = {**configs.apply_setting(raw, parts, value), "stages": stages}
    return {**raw, "stages": {name: _of_no_launch(stage) for name, stage in raw["stages"].items()}}


def _of_no_launch(stage: dict[str, Any]) -> dict[str, Any]:
    """A stage's config as manifests have it, without what is said once for a whole launch."""
    runtime = {name: value for name, value in stage.get("runtime", {}).items() if name not in LAUNCH}
    return {**stage, "runtime": runtime}


def commands(recorded: Recorded) -> list[str]:
    """The commands that made it, each once."""
    recorded_commands = (manifest.provenance.get("command") for manifest in recorded.finished.values())
    return list(
        dict.fromkeys(str(command).replace("__main__.py", "segda", 1) for command in recorded_commands if command)
    )


def environment_differences(recorded: Recorded, here: Mapping[str, Any]) -> list[str]:
    """A line for each difference to `here`, the provenance of this launch, that a result may depend on."""
    before: dict[str, set[str]] = {}
    for manifest in recorded.finished.values():
        for name, value in _facts(manifest.provenance):
            before.setdefault(name, set()).add(value)
    now = dict(_facts(here))
    if recorded.finished and not any(manifest.provenance.get("environment") for manifest in recorded.finished.values()):
        # Older manifests, and those of launches without any of the variables, say nothing of them.
        now = {name: value for name, value in now.items() if not name.startswith("variable ")}
    return [
        f"warning: {name}: {' and '.join(sorted(before.get(name, {'none'})))} when the result was made, "
        f"{now.get(name, 'none')} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name, {"none"}) != {now.get(name, "none")}
    ]


def _facts(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _MACHINE:
        if provenance.get(name) is not None:
            yield name.replace("_", " "), str(provenance[name])
    for group, noun in (("packages", "package"), ("environment", "variable")):
        for name, value in (provenance.get(group) or {}).items():
            yield f"{noun} {name}", str(value)


def compare(
    recorded: Recorded, plan: Sequence[StagePlan], dated: Mapping[str, Sequence[str]]
) -> tuple[list[str], bool]:
    """A line for each stage, equal or where it differs, and whether all that can be compared is equal.

    The stages of `plan` are finished. `dated` names, by kind of stage, the outputs that say when or how fast they were
    made, so that no two are equal: JSON is compared without its `seconds`, anything else is not.
    """
    lines, same = [], True
    for planned in plan:
        before = recorded.finished.get(planned.stage)
        if before is None or planned.folder is None or not (planned.folder / manifests.FILE_NAME).is_file():
            lines.append(f"{planned.stage}: nothing to compare with")
            continue
        after = manifests.load(planned.folder)
        earlier = Store(recorded.root).folder(before.kind, before.key)
        ignored = {
            name for name in dated.get(planned.kind, ())
            if not name.endswith(".json") or _timeless(earlier / name) in (None, _timeless(planned.folder / name))
        }  # fmt: skip
        difference = _difference(before, after, ignored)
        same = same and difference is None
        note = f" but for the time in {', '.join(sorted(ignored))}" if ignored else ""
        lines.append(f"{planned.stage}: {difference or f'equal, {len(after.outputs)} files{note}'}")
    return lines, same


def _timeless(file: Path) -> Any:
    """What a JSON file holds, without how many seconds anything took; `None` where there is no such file any more."""

    def without(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: without(value) for key, value in node.items() if key != "seconds"}
        return [without(value) for value in node] if isinstance(node, list) else node

    return without(manifests.read_json(file)) if file.is_file() else None


def _difference(before: Manifest, after: Manifest, ignored: set[str]) -> str | None:
    """Where two results differ, in words; `None` where they are equal."""
    if before.key != after.key:
        for name, origin in before.inputs.items():
            new = after.inputs.get(name, {})
            if origin.get("fingerprint") != new.get("fingerprint"):
                return f"differs: {name} is another data set, fingerprint {str(new.get('fingerprint'))[:8]}"
        return f"differs: key {after.key[:8]}, not {before.key[:8]}: this segda, or a stage before it, has another"
    names = (before.outputs.keys() | after.outputs.keys()) - ignored
    files = sorted(name for name in names if before.outputs.get(name) != after.outputs.get(name))
    if files:
        return f"differs: {len(files)} of {len(names)} files, {files[0]} first"
    return None
