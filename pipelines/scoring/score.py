"""Score the networks of a finished stage on a labelled data set."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pipelines.definition.schema import DataConfig
from pipelines.networks import load_predictor
from pipelines.shared_folder import TENSORS
from pipelines.training.unreadable_files import open_readable
from segda import label_space
from segda.artefacts.manifest import Manifest
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.engine.session import Session
from segda.evaluation.evaluate import evaluate
from segda.evaluation.scores import Evaluation
from segda.evaluation.test_time_augmentation import Augmentation
from segda.terminal.progress import ProgressLine


def score(
    stage_folder: Path,
    manifest: Manifest,
    data: DataConfig,
    dataset: Dataset,
    session: Session,
    *,
    augmentation: Augmentation,
    boundary: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score the networks that a finished stage published.

    Without `data.resize` the networks see the size that they were trained at. With `boundary`, the borders of the
    classes are scored, too. `progress` is called with images done and to do.
    """
    predictor = load_predictor(stage_folder, manifest, session.device)
    files = [*sorted((stage_folder / "networks").glob("*.safetensors")), *stage_folder.glob(TENSORS)]
    result = evaluate(
        predictor.networks,
        dataset,
        predictor.task,
        resize=data.resize or predictor.resize,
        inference=augmentation,
        boundary=boundary,
        device=session.device,
        rank=session.rank,
        world=session.world,
        reduce=session.sum,
        network_files={file.name: file for file in files},
        data_fingerprint=fingerprint(dataset),
        progress=progress,
    )
    method = manifest.config.get("method") or {}
    result.protocol.update(
        split=data.split,
        stage=stage_folder.name,
        method=method.get("title", ""),
        trained_on_target_labels=method.get("labels") == "target",
        selection="last step; no target label was used to select it",
        steps=manifest.config.get("steps"),
        seed=manifest.config.get("seed"),
    )
    return result


def _show(line: ProgressLine, done: int, total: int) -> None:
    line.update(done)


def score_rows(
    rows: Mapping[str, tuple[Path, Manifest]],
    data: DataConfig,
    session: Session,
    *,
    augmentation: Augmentation,
    boundary: bool,
) -> dict[str, Evaluation]:
    """Score several rows, each the folder and manifest of a stage, in the label space of each.

    Raises:
        SegdaError: the data set cannot be opened, or its labels cannot be read in a label space.
    """
    scores, opened = {}, {}
    for name, (folder, manifest) in rows.items():
        labels = manifest.config["task"]["labels"]
        space = label_space.load(labels)
        if space not in opened:
            opened[space] = open_readable(data, labels, True)
        share = len(range(session.rank, len(opened[space]), session.world))
        with ProgressLine(f"evaluate {name}", 0, share, "images", show=session.is_main, aside=True) as line:
            scores[name] = score(
                folder, manifest, data, opened[space], session, augmentation=augmentation, boundary=boundary,
                progress=partial(_show, line),
            )  # fmt: skip
    return scores
