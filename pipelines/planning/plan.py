"""What would run: every stage's key, state, folder and reason, from the configs and the folders as they are."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import (
    ComponentConfig,
    DataConfig,
    MethodConfig,
    Reference,
    TrainingConfig,
)
from pipelines.training.open_data import ListedData, data_root
from segda import label_space
from segda.artefacts.key import stage_key
from segda.artefacts.manifest import read_json
from segda.artefacts.store import STAGE_FILE, Store
from segda.config import loading as configs
from segda.config.lookup import module
from segda.data.index import fingerprint
from segda.errors import ArtefactError, DataError
from segda.files import sha256
from segda.label_space import Labels
from segda.terminal.table import print_table

State = Literal["done", "resume", "run", "data missing", "left out"]

UNWEIGHTED = frozenset({
    "class_adversarial", "class_size", "conditional_adversarial", "cycle", "distillation", "feature_adversarial",
    "feature_discrepancy", "feature_distance", "identity", "latent_adversarial", "latent_divergence",
    "masked_consistency", "minimum_class_confusion", "paired_adversarial", "paired_reconstruction", "patch_contrast",
    "self_training", "semantic_consistency", "target_entropy", "tempered_lens", "translation_adversarial",
})  # fmt: skip
"""Terms without the task's supervised loss. Named here, since a plan does not import torch, which terms do; a term that
is missing here only makes a stage depend on `task.class_weights` without need."""

PACKED = "; `pack` is in the key, since pictures are resized for it before they are scaled"


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

    def __init__(self, listed: ListedData, store: Store) -> None:
        self._listed, self._store = listed, store
        self._fingerprints: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def _fingerprint(self, data: DataConfig, labels: Labels, with_labels: bool) -> str:
        key = f"{labels} {with_labels} {data.model_dump_json(exclude={'resize'})}"
        if key not in self._fingerprints:
            dataset = self._listed.open(data, labels, data_root(data), with_labels)
            self._fingerprints[key] = fingerprint(dataset, strict=data.on_bad_file == "fail")
        return self._fingerprints[key]

    def _weights(self, path: str) -> str:
        if path not in self._fingerprints:
            self._fingerprints[path] = sha256(Path(path))
        return self._fingerprints[path]

    def resolved(self, node: Any, name: str, stage: Stage, keys: dict[str, str], inputs: dict[str, Any]) -> Any:
        """A config node as the key sees it: `keys` for references, fingerprints for data roots and weights.

        `inputs` is filled with the fingerprints, by path in the config.
        """

        def below(child: Any, part: Any) -> Any:
            return self.resolved(child, f"{name}.{part}" if name else str(part), stage, keys, inputs)

        if isinstance(node, Reference):
            return {"key": keys[node.stage], "output": node.output}
        if isinstance(node, BaseModel):
            resolved = {field: below(value, field) for field, value in _entries(node).items()}
            with_labels = name.rpartition(".")[2] != "target"
            labels = stage.config.task.options["labels"]
            if isinstance(node, DataConfig) and with_labels and _reads_ids_of(labels, node):
                resolved |= _of_space(labels, "ids", "colours")
            if isinstance(node, DataConfig) and isinstance(node.root, str):
                content = self._fingerprint(node, labels, with_labels)
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

    def planned(self, stage: Stage, upstream: dict[str, StagePlan]) -> StagePlan:
        """The stage with its key and its inputs for the manifest, its state yet to be looked up."""
        inputs: dict[str, Any] = {}
        config = self.resolved(stage.config, "", stage, self._keys, inputs)
        for path, reference in stage.references.items():
            origin = upstream[reference.stage]
            assert origin.folder is not None
            inputs[path] = {
                "stage": origin.stage, "kind": origin.kind, "key": origin.key, "folder": origin.folder.name,
                "output": reference.output,
            }  # fmt: skip
        config["task"] = _task_of(stage)
        if _scales_packs(stage):
            config["pack"] = True
        content = {name: part for name, part in config.items() if name != "kind"}
        key = self._keys[stage.name] = stage_key(stage.kind, stage.module.VERSION, content)
        folder = self._store.folder(stage.kind, key)
        return StagePlan(stage.name, stage.kind, key, "run", folder, "", inputs)


def _entries(node: BaseModel) -> dict[str, Any]:
    """The fields and options of a config node that a result depends on.

    A field at its default is left out, so that a new option changes no key: who changes a default raises VERSION.
    """
    ignored = {"runtime"}
    if isinstance(node, MethodConfig):  # how a method is called changes no result
        ignored |= {"title", "source"}
    fields = {field: (getattr(node, field), each) for field, each in type(node).model_fields.items()}
    entries = {
        field: value
        for field, (value, each) in fields.items()
        if field not in ignored and value != each.get_default(call_default_factory=True)
    }
    entries.update(node.options if isinstance(node, ComponentConfig) else node.model_extra or {})
    return entries


def _task_of(stage: Stage) -> dict[str, Any]:
    """What of `task` a stage's result depends on.

    Generated data depends on nothing of it: its key has a fixed task, the one that its pipelines always named.
    """
    if hasattr(stage.module, "TASK"):
        return dict(stage.module.TASK)
    task, labels = stage.config.task.model_dump(), stage.config.task.options["labels"]
    task["labels"] = _of_space(labels, "classes", *getattr(stage.module, "LABEL_SPACE", ())) or labels
    method = getattr(stage.config, "method", None)
    terms = method.terms if isinstance(method, MethodConfig) else {}
    if all(_is_unweighted(name, options) for name, options in terms.items()):
        task.pop("class_weights", None)
    return task


def _scales_packs(stage: Stage) -> bool:
    """Whether a stage trains on other pixels from packs than it would from files."""
    return isinstance(stage.config, TrainingConfig) and stage.config.scales_packs


def _is_unweighted(term: str, options: dict[str, Any]) -> bool:
    """Whether a term never takes the task's supervised loss, the only one that weighs classes without an option."""
    return term in UNWEIGHTED and not (options.get("source_labels") or options.get("class_weights"))


def _of_space(labels: Labels, *fields: str) -> dict[str, Any]:
    """What a key holds of a label space of one's own; of a shipped one it holds the name."""
    if isinstance(labels, str):
        return {}
    space = label_space.load(labels)
    return {field: content for field in fields if (content := getattr(space, field))}


def _reads_ids_of(labels: Labels, data: DataConfig) -> bool:
    """Whether what a data set's label files hold is not said by its own entry, but by a label space of one's own."""
    if isinstance(labels, str) or {"classes", "colours"} & data.options.keys():
        return False
    return "classes" in signature(module("segda.data.readers", data.name).build).parameters


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
            keys, planned = _Keys(self.listed, self.store), dict[str, StagePlan]()
            for stage in self.pipeline.stages.values():
                planned[stage.name] = _with_key(stage, planned, keys)
            self._keyed = list(planned.values())
        return [self._with_state(planned) for planned in self._keyed]

    def _with_state(self, planned: StagePlan) -> StagePlan:
        if planned.key:
            result = self.store.find(planned.kind, planned.key)
            planned = replace(planned, state=result.state, reason=result.reason)
            if result.reason.startswith("no result"):
                pixels = PACKED if _scales_packs(self.pipeline.stages[planned.stage]) else ""
                planned = replace(planned, reason=f"{result.reason}{pixels}{self._other_steps(planned)}")
        if planned.stage in self._affected and planned.state in ("done", "resume"):
            reason = "forced" if planned.stage in self._forced else "builds on a forced stage"
            planned = replace(planned, state="run", reason=reason)
        if planned.stage not in self._chosen and planned.state != "done":
            planned = replace(planned, state="left out", reason=f"not in --only; {planned.reason}")
        return planned

    def _other_steps(self, planned: StagePlan) -> str:
        """What is to be said of a result that is alike but for its number of steps; nothing where there is none."""
        config = self.pipeline.stages[planned.stage].config
        if not isinstance(config, TrainingConfig):
            return ""
        mine = _comparable(config.model_dump(mode="json", by_alias=True), planned.inputs)
        for folder in self.store.folders(planned.kind):
            with suppress(ArtefactError):  # damaged, which is reported where it is used
                begun = read_json(folder / STAGE_FILE)
                if _comparable(begun.get("config"), begun.get("inputs")) == mine:
                    return (
                        f"; {folder.name} has {begun['config']['steps']} steps and is not prolonged: to go on from it, "
                        f"add a stage with `init: {{from: {planned.stage}}}`"
                    )
        return ""


def _comparable(config: Any, inputs: Any) -> Any:
    """A training stage's config and inputs without what a longer training changes."""
    if not isinstance(config, dict) or not isinstance(inputs, dict):
        return None
    origins = {path: origin.get("key") or origin.get("fingerprint") for path, origin in inputs.items()}
    return {name: value for name, value in config.items() if name not in ("steps", "runtime")}, origins


def make_plan(pipeline: Pipeline, store: Store, only: Iterable[str] = (), force: Iterable[str] = ()) -> list[StagePlan]:
    """The plan of a pipeline as it is now; see `Planner` for the arguments.

    Raises:
        ConfigError: `only` or `force` names no stage.
        ArtefactError: a folder of the store cannot be used.
    """
    return Planner(pipeline, store, only, force).plan()


def _with_key(stage: Stage, upstream: dict[str, StagePlan], keys: _Keys) -> StagePlan:
    """A stage with its key; its state is yet to be looked up, unless data is missing."""
    without = StagePlan(stage.name, stage.kind, "", "data missing", None, "", {})
    for file in stage.missing:
        return replace(without, reason=configs.missing(file))
    for reference in stage.references.values():
        if not upstream[reference.stage].key:
            return replace(without, reason=f"builds on {reference.stage}, whose data is missing")
    try:
        return keys.planned(stage, upstream)
    except DataError as error:
        return replace(without, reason=str(error))


def print_plan(plan: Iterable[StagePlan], title: str) -> None:
    """Print the plan: a table on a terminal, plain lines elsewhere."""
    rows = [(p.stage, p.kind, p.state, p.folder.name if p.folder else "-", p.reason) for p in plan]
    colours = {"done": "green", "resume": "yellow", "run": "cyan", "data missing": "red", "left out": "dim"}
    print_table(title, [("stage", "kind", "state", "folder", "reason"), *rows], colours)
