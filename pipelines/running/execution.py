"""Run a pipeline's stages, one after another, in one process group; publish each when it is finished."""

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from socket import gethostname
from tempfile import NamedTemporaryFile
from typing import Any

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import DataConfig, Reference, TrainingConfig, data_fields
from pipelines.planning import disk, refusals
from pipelines.planning.plan import Planner, StagePlan
from pipelines.running import out_of_memory, up_to_date
from pipelines.running.provenance import provenance
from pipelines.training import unreadable_files
from pipelines.training.open_data import ListedData, data_root, open_dataset
from segda.artefacts import manifest as manifests
from segda.artefacts.key import digest
from segda.artefacts.lock import FolderLock
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.data.dataset import Dataset
from segda.data.unreadable import Skipped
from segda.engine import signals
from segda.engine.session import FILE_VISIBILITY_SECONDS, Session
from segda.errors import ArtefactError
from segda.label_space import Labels
from segda.terminal import progress
from segda.terminal.escape import escape

PROBE = "shared"
"""Begins the name of the file that rank 0 has in the folder of runs until the others have seen it."""


class RunInputs:
    """What a stage may ask for while it runs; see `pipelines.definition.schema.Inputs`."""

    def __init__(self, folders: dict[str, Path], listed: ListedData | None) -> None:
        """Take the folders of finished stages by name, and the data sets that the plan has listed.

        `listed` is `None` in a process that follows rank 0: it may see files later than rank 0 does, so it waits for
        them and lists a data set whenever it is opened.
        """
        self._folders, self._listed = folders, listed
        self.lists: unreadable_files.Lists = {}
        self._seen: set[Path] = set()

    def folder(self, reference: Reference) -> Path:
        """The finished folder, or the named output in it, that a reference points to.

        Raises:
            ArtefactError: the output is not there.
        """
        folder = self._finished(reference)
        path = folder / reference.output if reference.output else folder
        if not path.exists():
            raise ArtefactError(f"{path}: output of stage {reference.stage!r} is missing; run it again with --force")
        return path

    def manifest(self, reference: Reference) -> Manifest:
        """The manifest of the stage that a reference points to."""
        return manifests.load(self._finished(reference))

    def _finished(self, reference: Reference) -> Path:
        """The stage's folder, once this process sees all that its manifest names, or has waited for it in vain."""
        folder = self._folders[reference.stage]
        if self._listed is None and folder not in self._seen:
            end = time.monotonic() + FILE_VISIBILITY_SECONDS
            _wait_for(folder / manifests.FILE_NAME, end)
            for name in manifests.load(folder).outputs:
                _wait_for(folder / name, end)
            self._seen.add(folder)
        return folder

    def root(self, data: DataConfig) -> Path:
        """The folder that a data set's files lie in."""
        return self.folder(data.root) if isinstance(data.root, Reference) else data_root(data)

    def open_for(self, stage: Stage, data: DataConfig, with_labels: bool) -> Dataset:
        """As `open`, with the label space of a stage."""
        return self.open(data, stage.config.task.options["labels"], with_labels)

    def open(self, data: DataConfig, labels: Labels, with_labels: bool) -> Dataset:
        """A data set, whose labels are read in the label space `labels`, or not at all.

        Raises:
            DataError: the folder is missing or is not as the reader expects.
        """
        opened = open_dataset if self._listed is None else self._listed.open
        return opened(data, labels, self.root(data), with_labels)

    def skipped(self, field: str) -> list[Skipped]:
        """What the stage that runs leaves out of the data set in a field of its config."""
        return self.lists.get(field, [])


def _wait_for(path: Path, end: float) -> None:
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.1)


def _inspect_data(planner: Planner, plan: Sequence[StagePlan]) -> None:
    """Refuse labels that cannot be what their reader takes them for, and print doubts about data.

    What a stage of the pipeline made is not looked at: its labels are those that it was made from.

    Raises:
        DataError: names the folder, and what its labels hold.
    """
    for planned in plan:
        config = planner.pipeline.stages[planned.stage].config
        for data, with_labels in data_fields(config).values() if planned.state in ("run", "resume") else ():
            if isinstance(data.root, str):
                root = data_root(data)
                for doubt in planner.listed.inspect(data, config.task.options["labels"], root, with_labels):
                    print(escape(f"warning: {root}: {doubt}"), flush=True)


def _run_stage(
    stage: Stage, planned: StagePlan, inputs: RunInputs, pipeline: Pipeline, store: Store, session: Session
) -> None:
    """Run or resume one stage on all ranks, then publish its manifest."""
    config = stage.config.model_dump(mode="json", by_alias=True)
    description = {"stage": stage.name, "version": stage.module.VERSION, "config": config, "inputs": planned.inputs}
    folder: Path = session.on_main(lambda: store.begin(stage.kind, planned.key, description))
    session.same_everywhere(str(folder), lambda decided: (None, folder.is_dir()))
    start = time.monotonic()
    try:
        inputs.lists = session.on_main(lambda: unreadable_files.prepare(stage.config, inputs, folder))
        metrics = stage.module.run(stage.config, inputs, folder, session)
    except Exception as error:
        explained = out_of_memory.explain_out_of_memory(stage.name, stage.config, error)
        if explained is None:
            raise
        raise explained from error
    session.barrier()

    def publish() -> None:
        manifest = Manifest(
            stage=stage.name,
            kind=stage.kind,
            version=stage.module.VERSION,
            key=planned.key,
            config=config,
            inputs=planned.inputs,
            outputs=manifests.describe_outputs(folder, published(stage.module, folder)),
            metrics={**(metrics or {}), **unreadable_files.metrics(inputs.lists)},
            provenance={"run": pipeline.name, **provenance(session, time.monotonic() - start, stage.config.seed)},
        )
        progress.forget(folder)
        manifests.write(folder, manifest)

    session.on_main(publish)


def published(module: Any, folder: Path) -> list[str]:
    """The outputs that a finished stage has to show: all of its kind's, of its `OPTIONAL` ones those that it wrote."""
    optional = getattr(module, "OPTIONAL", ())
    return [name for name in module.OUTPUTS if name not in optional or (folder / name).exists()]


def run_pipeline(
    pipeline: Pipeline, store: Store, session: Session, only: Sequence[str] = (), force: Sequence[str] = ()
) -> None:
    """Plan a pipeline and run what is not done yet; see `Planner` for the arguments and `run_planned` for the rest."""
    run_planned(Planner(pipeline, store, only, force), session)


def run_planned(planner: Planner, session: Session, wait: bool = False, ignore_space: bool = False) -> None:
    """Run what is not done yet, in order. Rank 0 decides what that is, so that ranks cannot disagree.

    With `wait`, wait for another run that works on one of the stages, or has this run's name, rather than refuse. With
    `ignore_space`, begin although the disk looks too small.

    Raises:
        SegdaError: data or results are missing or damaged, another run is at work, the disk looks too small, or a
            stage failed.
        StoppedError: a signal asked to stop.
    """
    pipeline, store = planner.pipeline, planner.store
    # Before anything else: a machine may still see an earlier version of the files.
    session.same_everywhere(
        f"{pipeline.name}: config", lambda decided: (None, f"version {digest(pipeline.raw)[:8]}"), patience=0
    )
    _require_shared(store.root, session)
    claims: dict[Path, FolderLock] = {}  # on rank 0 alone
    try:
        plan: list[StagePlan] = session.on_main(lambda: _begin(planner, claims, session.world, wait, ignore_space))
        unfinished = (pipeline.stages[planned.stage].config for planned in plan if planned.state in ("run", "resume"))
        if pipeline.runtime.profile and not any(isinstance(config, TrainingConfig) for config in unfinished):
            session.print(up_to_date.UNPROFILED)
        inputs = RunInputs(
            {planned.stage: planned.folder for planned in plan if planned.folder is not None},
            planner.listed if session.is_main else None,
        )
        done: set[str] = set()
        for number, planned in enumerate(plan, 1):
            if planned.state == "left out":
                continue
            if planned.state == "done":
                session.print(up_to_date.line(plan, number))
            else:
                stopping = session.max(signals.requested())  # all processes stop at the same stage
                if stopping:
                    raise signals.StoppedError(stopping, f"before {planned.stage}")
                title = f"[{number}/{len(plan)}] {planned.stage}"
                session.print(f"{title}: {planned.state} ({planned.reason}), {planned.folder}")
                _run_stage(pipeline.stages[planned.stage], planned, inputs, pipeline, store, session)
                later = [pipeline.stages[each.stage] for each in plan[number:] if each.state in ("run", "resume")]
                session.on_main(partial(refusals.open_made, [planned.stage], later, inputs.open_for))
            done.add(planned.stage)
            session.on_main(lambda: store.write_lock(pipeline.name, up_to_date.lock(pipeline, plan, done)))
            if planned.folder in claims:  # another run that waits for this stage alone goes on
                claims[planned.folder].release()
    finally:
        for claim in claims.values():
            claim.release()


def _require_shared(root: Path, session: Session) -> None:
    """Refuse a folder of runs that is not the same one on all machines; for that long, rank 0 has a file in it."""
    if session.world == 1:
        return
    made = [folder for folder in (root, *root.parents) if not folder.exists()] if session.is_main else []
    with ExitStack() as probe:

        def look(name: str | None) -> tuple[None, str]:
            if session.is_main:
                with suppress(OSError):  # finished runs may lie on a disk that nobody can write
                    root.mkdir(parents=True, exist_ok=True)
                    file = probe.enter_context(NamedTemporaryFile(dir=root, prefix=f".{PROBE}-{gethostname()}-"))
                    return None, Path(file.name).name
                return None, ""
            return None, name if name is not None and (root / name).exists() else f"nothing on {gethostname()}"

        try:
            session.same_everywhere(
                f"{root.resolve()}: looking for a file of process 0", look,
                remedy="all machines need the same folder of runs: give one that they share with --runs",
            )  # fmt: skip
        except ArtefactError:
            probe.close()
            for folder in made:
                folder.rmdir()
            raise


def _begin(
    planner: Planner, claims: dict[Path, FolderLock], world: int, wait: bool, ignore_space: bool
) -> list[StagePlan]:
    """Claim what will be worked on, and answer the plan as it is under the claims; all refusals come from here."""
    pipeline, store = planner.pipeline, planner.store
    plan = planner.plan()
    refusals.refuse(planner, plan, world, begins=True)
    _inspect_data(planner, plan)
    run = claims[store.lock_path(pipeline.name)] = store.claim_run(pipeline.name, wait)
    run.take()
    # All before any work. In the same order in every run, so that two cannot wait for one another.
    for planned in sorted(plan, key=lambda planned: str(planned.folder)):
        if planned.folder is not None and planned.state in ("run", "resume"):
            claim = claims[planned.folder] = store.claim(planned.folder, wait)
            claim.take()
        elif planned.folder is not None and planned.state == "done":
            store.clear_claim(planned.folder)
    plan = planner.plan()  # until now another run may have finished what was to be done
    if not ignore_space:
        disk.require(disk.DiskEstimate(pipeline, plan, planner.listed), store.root)
    for planned in plan:
        # All at once and before any work: a run that is killed half-way goes on without --force.
        if planned.state == "run":
            store.replace(planned.kind, planned.key)
    store.write_lock(pipeline.name, up_to_date.lock(pipeline, plan, set()))
    return plan
