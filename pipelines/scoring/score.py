"""Score the networks of a finished stage on a labelled data set."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.definition.schema import ComponentConfig
from pipelines.networks import build_task, load_networks, working_size
from segda.artefacts.manifest import Manifest

if TYPE_CHECKING:
    from segda.data.dataset import Dataset
    from segda.engine.session import Session
    from segda.evaluation.scores import Evaluation
    from segda.evaluation.test_time_augmentation import Augmentation as Inference


def score(
    stage_folder: Path,
    manifest: Manifest,
    dataset: "Dataset",
    resize: tuple[int, int] | None,
    split: str,
    session: "Session",
    progress: Callable[[int, int], None] | None = None,
    inference: "Inference | None" = None,
    boundary: bool = False,
) -> "Evaluation":
    """Score the networks that a finished stage published.

    Args:
        stage_folder: the stage's folder, with `networks/`.
        manifest: its manifest, whose config says how the networks are built.
        dataset: opened with labels.
        resize: what the networks see; `None` for the size that they were trained at.
        split: the split's name, for the protocol.
        session: the processes.
        progress: called with images done and to do.
        inference: test-time augmentation; none by default.
        boundary: score the borders of the classes, too.
    """
    from segda.data.index import fingerprint
    from segda.evaluation.evaluate import evaluate
    from segda.evaluation.test_time_augmentation import NO_AUGMENTATION

    resize = resize or working_size(manifest)
    networks = load_networks(stage_folder, manifest.config, ("encoder", "head"), session.device)
    result = evaluate(
        networks,
        dataset,
        build_task(ComponentConfig(**manifest.config["task"])),
        resize=resize,
        inference=inference or NO_AUGMENTATION,
        boundary=boundary,
        device=session.device,
        rank=session.rank,
        world=session.world,
        reduce=session.sum,
        network_files={file.name: file for file in sorted((stage_folder / "networks").glob("*.safetensors"))},
        data_fingerprint=fingerprint(dataset),
        progress=progress,
    )
    method = manifest.config.get("method") or {}
    result.protocol.update(
        split=split,
        stage=stage_folder.name,
        method=method.get("title", ""),
        trained_on_target_labels=method.get("labels") == "target",
        selection="last step; no target label was used to select it",
        steps=manifest.config.get("steps"),
        seed=manifest.config.get("seed"),
    )
    return result
