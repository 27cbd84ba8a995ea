"""Run a pipeline's stages, one after another, in one process group; publish each when it is finished."""

import importlib.metadata
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from pipelines import plan as plans
from pipelines import shortage, space
from pipelines.pipeline import Pipeline, Stage
from pipelines.plan import Planned
from pipelines.stage import Data, Reference, TrainingConfig
from segda.artefacts import manifest as manifests
from segda.artefacts.claim import Claim
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.engine.session import Session
from segda.errors import ArtefactError, ConfigError, SegdaError

PACKAGES = (
    "segda", "torch", "torchvision", "timm", "segmentation-models-pytorch", "albumentations", "opencv-python-headless",
    "kornia", "accelerate", "numpy", "safetensors", "pydantic",
)  # fmt: skip


class SharedError(SegdaError):
    """Raised on the other ranks when rank 0 fails and tells the user why."""


class RunInputs:
    """What a stage may ask for while it runs; see `pipelines.stage.Inputs`."""

    def __init__(self, folders: dict[str, Path]) -> None:
        """Args: folders: stage name to folder of its finished result."""
        self._folders = folders

    def folder(self, reference: Reference) -> Path:
        """The finished folder, or the named output in it, that a reference points to.

        Raises:
            ArtefactError: the output is not there.
        """
        folder = self._folders[reference.stage]
        path = folder / reference.output if reference.output else folder
        if not path.exists():
            raise ArtefactError(f"{path}: output of stage {reference.stage!r} is missing; run it again with --force")
        return path

    def manifest(self, reference: Reference) -> Manifest:
        """The manifest of the stage that a reference points to."""
        return manifests.load(self._folders[reference.stage])

    def root(self, data: Data) -> Path:
        """The folder that a data set's files lie in."""
        return self.folder(data.root) if isinstance(data.root, Reference) else plans.data_root(data)


def _on_main(session: Session, work: Any) -> Any:
    """What `work()` returns on rank 0, on every rank; an error of rank 0 is raised on every rank."""
    outcome: tuple[Any, BaseException | None] = (None, None)
    if session.is_main:
        try:
            outcome = (work(), None)
        except (SegdaError, OSError) as error:
            outcome = (None, error)
    value, failure = session.broadcast(outcome)
    if failure is not None:
        if session.is_main:
            raise failure
        raise SharedError() from failure
    return value


def provenance(session: Session, seconds: float) -> dict[str, Any]:
    """Where, when and with what a stage ran. Nothing of it enters a key."""
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        **_git(),
        "packages": packages,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "device": str(session.device),
        "mixed_precision": session.mixed_precision,
        "world_size": session.world,
        "seconds": round(seconds, 1),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _cpu() -> str:
    """The processor's model, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _git() -> dict[str, Any]:
    """Commit of the code that runs and whether it was changed since; nulls outside a checkout."""
    where = Path(__file__).parent

    def ask(*arguments: str) -> str | None:
        try:
            command = ["git", "-C", str(where), *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return None

    changes = ask("status", "--porcelain", "--untracked-files=no")
    return {"git": ask("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def _lock(pipeline: Pipeline, plan: Sequence[Planned], done: set[str]) -> dict[str, Any]:
    stages = {
        planned.stage: {
            "kind": planned.kind,
            "folder": planned.folder.name if planned.folder else None,
            "key": planned.key,
            "state": "done" if planned.stage in done else planned.state,
        }
        for planned in plan
    }
    return {"schema": manifests.SCHEMA, "run": pipeline.name, "stages": stages, "config": pipeline.raw}


def _refuse(plan: Sequence[Planned], pipeline: Pipeline, world: int) -> None:
    """Refuse a run of `world` processes that cannot end well, before any work."""
    states = {planned.stage: planned for planned in plan}
    for planned in plan:
        if planned.state == "data missing":
            raise ArtefactError(f"stages.{planned.stage}: {planned.reason}")
        if planned.state in ("run", "resume"):
            config = pipeline.stages[planned.stage].config
            if isinstance(config, TrainingConfig) and config.batch % (world * config.accumulate):
                raise ConfigError(
                    f"stages.{planned.stage}.batch: {config.batch} samples cannot be split evenly over {world} "
                    f"processes x {config.accumulate} micro-batches; choose a multiple of {world * config.accumulate}"
                )
            for reference in pipeline.stages[planned.stage].references.values():
                if states[reference.stage].state == "left out":
                    raise ArtefactError(
                        f"stages.{planned.stage}: needs {reference.stage!r}, which is not finished; "
                        f"run it too: --only {reference.stage} --only {planned.stage}"
                    )


def _run_stage(
    stage: Stage, planned: Planned, inputs: RunInputs, pipeline: Pipeline, store: Store, session: Session
) -> None:
    """Run or resume one stage on all ranks, then publish its manifest."""
    config = stage.config.model_dump(mode="json", by_alias=True)
    description = {"stage": stage.name, "version": stage.module.VERSION, "config": config, "inputs": planned.inputs}
    folder: Path = _on_main(session, lambda: store.begin(stage.kind, planned.key, description))
    start = time.monotonic()
    try:
        metrics = stage.module.run(stage.config, inputs, folder, session)
    except Exception as error:
        lacking = shortage.of_memory(stage.name, stage.config, error)
        if lacking is None:
            raise
        raise lacking from error
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
            metrics=dict(metrics or {}),
            provenance={"run": pipeline.name, **provenance(session, time.monotonic() - start)},
        )
        manifests.write(folder, manifest)

    _on_main(session, publish)


def published(module: Any, folder: Path) -> list[str]:
    """The outputs that a finished stage has to show: all of its kind's, of its `OPTIONAL` ones those that it wrote."""
    optional = getattr(module, "OPTIONAL", ())
    return [name for name in module.OUTPUTS if name not in optional or (folder / name).exists()]


def run_pipeline(
    pipeline: Pipeline,
    store: Store,
    session: Session,
    only: Sequence[str] = (),
    force: Sequence[str] = (),
    wait: bool = False,
    ignore_space: bool = False,
) -> None:
    """Run what is not done yet, in order. Rank 0 decides what that is, so that ranks cannot disagree.

    Args:
        pipeline: validated.
        store: where results lie.
        session: the processes of this launch.
        only: stages to run; all when empty.
        force: stages to run anew, with all that build on them; `all` for every stage.
        wait: wait for another run that works on one of the stages, or has this run's name, rather than refuse.
        ignore_space: begin although the disk looks too small.

    Raises:
        SegdaError: data or results are missing or damaged, another run is at work, the disk looks too small, or a
            stage failed.
    """
    with ExitStack() as all_claims:
        claims: dict[str, Claim] = {}

        def decide() -> list[Planned]:
            all_claims.enter_context(store.claim_run(pipeline.name, wait))
            plan = plans.make(pipeline, store, only, force)
            _refuse(plan, pipeline, session.world)
            # All before any work. In the same order in every run, so that two cannot wait for one another.
            for planned in sorted(plan, key=lambda planned: str(planned.folder)):
                if planned.folder is not None and planned.state in ("run", "resume"):
                    claims[planned.stage] = all_claims.enter_context(store.claim(planned.folder, wait))
            if claims:  # until now another run may have finished what was to be done
                plan = plans.make(pipeline, store, only, force)
            if not ignore_space:
                space.require(space.Space(pipeline, plan), store.root)
            for planned in plan:
                # All at once and before any work: a run that is killed half-way goes on without --force.
                if planned.state == "run":
                    store.replace(planned.kind, planned.key)
            store.write_lock(pipeline.name, _lock(pipeline, plan, set()))
            return plan

        plan: list[Planned] = _on_main(session, decide)
        folders = {planned.stage: planned.folder for planned in plan if planned.folder is not None}
        inputs = RunInputs(folders)
        done: set[str] = set()
        for number, planned in enumerate(plan, 1):
            title = f"[{number}/{len(plan)}] {planned.stage}"
            if planned.state == "left out":
                continue
            if planned.state == "done":
                session.print(f"{title}: done, {planned.folder}")
            else:
                session.print(f"{title}: {planned.state} ({planned.reason}), {planned.folder}")
                _run_stage(pipeline.stages[planned.stage], planned, inputs, pipeline, store, session)
            done.add(planned.stage)
            _on_main(session, lambda: store.write_lock(pipeline.name, _lock(pipeline, plan, done)))
            if planned.stage in claims:  # another run that waits for this stage alone goes on
                claims[planned.stage].release()
