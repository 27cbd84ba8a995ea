"""What would run: every stage's key, state, folder and reason, from the configs and the folders as they are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import DataConfig, MethodConfig, OptimizerConfig, Reference
from pipelines.training.open_data import ListedData, data_root
from segda.artefacts.key import stage_key
from segda.artefacts.store import Store
from segda.config import loading as configs
from segda.data.index import fingerprint
from segda.errors import DataError
from segda.files import sha256
from segda.terminal.table import print_table

State = Literal["done", "resume", "run", "data missing", "left out"]


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan.

    Attributes:
        stage: its name.
        kind: its module.
        key: its full key; empty while data is missing that the key depends on.
        state: what would happen to it.
        folder: where its result lies or would lie; `None` without key.
        reason: why.
        inputs: config path to upstream stage and key, or to data set and fingerprint, for the manifest.
    """

    stage: str
    kind: str
    key: str
    state: State
    folder: Path | None
    reason: str
    inputs: dict[str, Any]


class _Keys:
    """Computes keys; remembers fingerprints, since several stages open the same data sets and weights."""

    def __init__(self, listed: ListedData) -> None:
        self._listed = listed
        self._fingerprints: dict[str, str] = {}

    def _fingerprint(self, data: DataConfig, labels: str, with_labels: bool) -> str:
        key = f"{labels} {with_labels} {data.model_dump_json(exclude={'resize'})}"
        if key not in self._fingerprints:
            dataset = self._listed.open(data, labels, data_root(data), with_labels)
            self._fingerprints[key] = fingerprint(dataset, strict=data.on_bad_file == "fail")
        return self._fingerprints[key]

    def _weights(self, path: str) -> str:
        if path not in self._fingerprints:
            self._fingerprints[path] = sha256(Path(path))
        return self._fingerprints[path]

    def resolved(
        self, node: Any, name: str, stage: Stage, upstream: dict[str, StagePlan], inputs: dict[str, Any]
    ) -> Any:
        """A config node as the key sees it: upstream keys for references, fingerprints for data roots and weights."""

        def below(child: Any, part: Any) -> Any:
            return self.resolved(child, f"{name}.{part}" if name else str(part), stage, upstream, inputs)

        if isinstance(node, Reference):
            origin = upstream[node.stage]
            assert origin.folder is not None
            inputs[name] = {
                "stage": node.stage, "kind": origin.kind, "key": origin.key, "folder": origin.folder.name,
                "output": node.output,
            }  # fmt: skip
            return {"key": origin.key, "output": node.output}
        if isinstance(node, BaseModel):
            entries = {field: getattr(node, field) for field in type(node).model_fields if field != "runtime"}
            entries.update(node.model_extra or {})
            if isinstance(node, MethodConfig):  # how a method is called changes no result
                del entries["title"], entries["source"]
            if isinstance(node, DataConfig) and node.on_bad_file == "fail":  # as it was before there was a choice
                del entries["on_bad_file"]
            if isinstance(node, OptimizerConfig) and node.clip_gradient_norm is None:  # likewise
                del entries["clip_gradient_norm"]
            resolved = {field: below(value, field) for field, value in entries.items()}
            if isinstance(node, DataConfig) and isinstance(node.root, str):
                with_labels = name.rpartition(".")[2] != "target"
                content = self._fingerprint(node, stage.config.task.options["labels"], with_labels)
                inputs[name] = {"dataset": node.name, "split": node.split, "fingerprint": content}
                resolved["root"] = {"fingerprint": content}
            return resolved
        if isinstance(node, dict) and node and all(isinstance(child, Reference) for child in node.values()):
            return [[key, below(child, key)] for key, child in node.items()]  # rows of a table: their order counts
        if isinstance(node, dict):
            return {key: below(child, key) for key, child in node.items()}
        if isinstance(node, list | tuple):
            return [below(child, index) for index, child in enumerate(node)]
        if name.rpartition(".")[2] == "weights" and configs.is_weights_file(node):
            return {"sha256": self._weights(node)}
        return node

    def key(self, stage: Stage, upstream: dict[str, StagePlan]) -> tuple[str, dict[str, Any]]:
        """The stage's key, and its inputs for the manifest."""
        inputs: dict[str, Any] = {}
        config = self.resolved(stage.config, "", stage, upstream, inputs)
        config.pop("kind")
        return stage_key(stage.kind, stage.module.VERSION, config), inputs


def downstream(pipeline: Pipeline, roots: Collection[str]) -> set[str]:
    """The named stages and all that build on them."""
    names = set(roots)
    for stage in pipeline.stages.values():  # in topological order
        if any(reference.stage in names for reference in stage.references.values()):
            names.add(stage.name)
    return names


class Planner:
    """The plan of one run. Keys are computed once, states as often as they are asked for.

    Attributes:
        pipeline: validated.
        store: where results lie.
        listed: the data sets that the plan has listed.
    """

    def __init__(self, pipeline: Pipeline, store: Store, only: Iterable[str] = (), force: Iterable[str] = ()) -> None:
        """Plan to run the stages `only`, all when empty; nothing is read yet.

        Stages in `force` are run although they are done, with all that build on them; `all` means every stage.

        Raises:
            ConfigError: `only` or `force` names no stage.
        """
        self.pipeline, self.store, self.listed = pipeline, store, ListedData()
        self._chosen = {pipeline.stage(name).name for name in only} or set(pipeline.stages)
        forced = set(force)
        self._forced = set(pipeline.stages) if "all" in forced else {pipeline.stage(name).name for name in forced}
        self._affected = downstream(pipeline, self._forced)
        self._keyed: list[StagePlan] = []

    def plan(self) -> list[StagePlan]:
        """Every stage's key, and its state now. Reads configs and folders; writes nothing, trains nothing.

        Data sets and weights are read by the first call alone; later ones look at the results again.

        Raises:
            ArtefactError: a folder of the store cannot be used.
        """
        if not self._keyed:
            keys, planned = _Keys(self.listed), dict[str, StagePlan]()
            for stage in self.pipeline.stages.values():
                planned[stage.name] = _with_key(stage, planned, keys, self.store)
            self._keyed = list(planned.values())
        return [self._with_state(planned) for planned in self._keyed]

    def _with_state(self, planned: StagePlan) -> StagePlan:
        if planned.key:
            result = self.store.find(planned.kind, planned.key)
            planned = replace(planned, state=result.state, reason=result.reason)
        if planned.stage in self._affected and planned.state in ("done", "resume"):
            reason = "forced" if planned.stage in self._forced else "builds on a forced stage"
            planned = replace(planned, state="run", reason=reason)
        if planned.stage not in self._chosen and planned.state != "done":
            planned = replace(planned, state="left out", reason=f"not in --only; {planned.reason}")
        return planned


def make_plan(pipeline: Pipeline, store: Store, only: Iterable[str] = (), force: Iterable[str] = ()) -> list[StagePlan]:
    """The plan of a pipeline as it is now; see `Planner` for the arguments.

    Raises:
        ConfigError: `only` or `force` names no stage.
        ArtefactError: a folder of the store cannot be used.
    """
    return Planner(pipeline, store, only, force).plan()


def _with_key(stage: Stage, upstream: dict[str, StagePlan], keys: _Keys, store: Store) -> StagePlan:
    """A stage with its key; its state is yet to be looked up, unless data is missing."""
    without = StagePlan(stage.name, stage.kind, "", "data missing", None, "", {})
    for file in stage.missing:
        return replace(without, reason=configs.missing(file))
    for reference in stage.references.values():
        if not upstream[reference.stage].key:
            return replace(without, reason=f"builds on {reference.stage}, whose data is missing")
    try:
        key, inputs = keys.key(stage, upstream)
    except DataError as error:
        return replace(without, reason=str(error))
    return StagePlan(stage.name, stage.kind, key, "run", store.folder(stage.kind, key), "", inputs)


def print_plan(plan: Iterable[StagePlan], title: str) -> None:
    """Print the plan: a table on a terminal, plain lines elsewhere."""
    rows = [(p.stage, p.kind, p.state, p.folder.name if p.folder else "-", p.reason) for p in plan]
    colours = {"done": "green", "resume": "yellow", "run": "cyan", "data missing": "red", "left out": "dim"}
    print_table(title, [("stage", "kind", "state", "folder", "reason"), *rows], colours)
