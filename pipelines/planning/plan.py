"""What would run: every stage's key, state, folder and reason, from the configs and the folders as they are."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import DataConfig, MethodConfig, Reference
from pipelines.training.open_data import data_root, open_dataset
from segda.artefacts.key import stage_key
from segda.artefacts.store import Store
from segda.config import loading as configs
from segda.data.index import fingerprint
from segda.errors import DataError
from segda.files import sha256
from segda.terminal.escape import escape

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

    def __init__(self) -> None:
        self._fingerprints: dict[str, str] = {}

    def _fingerprint(self, data: DataConfig, labels: str, with_labels: bool) -> str:
        known = f"{labels} {with_labels} {data.model_dump_json(exclude={'resize'})}"
        if known not in self._fingerprints:
            dataset = open_dataset(data, labels, data_root(data), with_labels)
            self._fingerprints[known] = fingerprint(dataset, strict=data.on_bad_file == "fail")
        return self._fingerprints[known]

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
            resolved = {field: below(value, field) for field, value in entries.items()}
            if isinstance(node, DataConfig) and isinstance(node.root, str):
                with_labels = name.rpartition(".")[2] != "target"
                found = self._fingerprint(node, stage.config.task.options["labels"], with_labels)
                inputs[name] = {"dataset": node.name, "split": node.split, "fingerprint": found}
                resolved["root"] = {"fingerprint": found}
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
    found = set(roots)
    for stage in pipeline.stages.values():  # in topological order
        if any(reference.stage in found for reference in stage.references.values()):
            found.add(stage.name)
    return found


def make_plan(pipeline: Pipeline, store: Store, only: Iterable[str] = (), force: Iterable[str] = ()) -> list[StagePlan]:
    """The plan of a pipeline. Reads configs and folders; writes nothing, trains nothing.

    Args:
        pipeline: validated.
        store: where results lie.
        only: stages to run; all when empty.
        force: stages to run although they are done, with all that build on them; `all` for every stage.

    Raises:
        ConfigError: `only` or `force` names no stage.
        ArtefactError: a folder of the store cannot be used.
    """
    chosen = {pipeline.stage(name).name for name in only} or set(pipeline.stages)
    forced = set(force)
    forced = set(pipeline.stages) if "all" in forced else {pipeline.stage(name).name for name in forced}
    affected = downstream(pipeline, forced)
    keys = _Keys()
    plan: dict[str, StagePlan] = {}
    for stage in pipeline.stages.values():
        planned = _plan_stage(stage, plan, keys, store)
        if stage.name in affected and planned.state in ("done", "resume"):
            reason = "forced" if stage.name in forced else "builds on a forced stage"
            planned = replace(planned, state="run", reason=reason)
        if stage.name not in chosen and planned.state != "done":
            planned = replace(planned, state="left out", reason=f"not in --only; {planned.reason}")
        plan[stage.name] = planned
    return list(plan.values())


def _plan_stage(stage: Stage, plan: dict[str, StagePlan], keys: _Keys, store: Store) -> StagePlan:
    unknown = StagePlan(stage.name, stage.kind, "", "data missing", None, "", {})
    for file in stage.missing:
        return replace(unknown, reason=configs.missing(file))
    for reference in stage.references.values():
        if not plan[reference.stage].key:
            return replace(unknown, reason=f"builds on {reference.stage}, whose data is missing")
    try:
        key, inputs = keys.key(stage, plan)
    except DataError as error:
        return replace(unknown, reason=str(error))
    found = store.find(stage.kind, key)
    return StagePlan(stage.name, stage.kind, key, found.state, found.folder, found.reason, inputs)


def table(plan: Iterable[StagePlan], title: str) -> str:
    """The plan as lines of plain text."""
    header = ("stage", "kind", "state", "folder", "reason")
    told = ((p.stage, p.kind, p.state, p.folder.name if p.folder else "-", p.reason) for p in plan)
    rows = [header, *([escape(cell) for cell in row] for row in told)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows]
    return "\n".join([escape(title), *lines])


def print_plan(plan: Iterable[StagePlan], title: str) -> None:
    """Print the plan: a table on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        print(table(plan, title))
        return
    colours = {"done": "green", "resume": "yellow", "run": "cyan", "data missing": "red", "left out": "dim"}
    drawn = Table("stage", "kind", "state", "folder", "reason", title=Text(escape(title)), title_justify="left")
    for planned in plan:
        colour = colours[planned.state]
        folder = planned.folder.name if planned.folder else "-"
        cells = (planned.stage, planned.kind, planned.state, folder, planned.reason)
        styles = ("", "", colour, "", "")
        drawn.add_row(*(Text(escape(cell), style) for cell, style in zip(cells, styles, strict=True)))
    console.print(drawn)
