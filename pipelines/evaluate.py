"""Score the networks of several stages on one labelled split: a row each, per class, protocol beside the scores."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat, model_validator

from pipelines.stage import Component, Data, Inputs, Reference, Size, StageConfig, Strict
from segda.artefacts.manifest import Manifest, write_json
from segda.errors import ConfigError
from segda.files import write_whole

if TYPE_CHECKING:
    from segda.data.dataset import Dataset
    from segda.engine.evaluation import Evaluation
    from segda.engine.inference import Inference
    from segda.engine.live_line import LiveLine
    from segda.engine.session import Session

VERSION = 2
OUTPUTS = ("evaluation.json", "table.csv", "table.json")
#: Outputs that tell when or how fast they were made, so that no two are equal.
DATED = ("evaluation.json",)


class Augmentation(Strict):
    """Test-time augmentation; the default is none.

    Attributes:
        flip: the mirrored image, too.
        scales: factors of what the networks see otherwise.
        window: `(height, width)` that networks see at a time; `None` for the whole image.
        stride: `(height, width)` from one window to the next; `None` for two thirds of the window's.
    """

    flip: bool = False
    scales: tuple[PositiveFloat, ...] = (1.0,)
    window: Size | None = None
    stride: Size | None = None

    @model_validator(mode="after")
    def _sensible(self) -> "Augmentation":
        if not self.model_fields_set:  # the default is; torch is not loaded to find that
            return self
        try:
            self.inference()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def inference(self) -> "Inference":
        """The same for the engine."""
        from segda.engine.inference import Inference

        return Inference(**self.model_dump())


class Config(StageConfig):
    """An evaluating stage.

    Attributes:
        data: the labelled split; `resize` is what the networks see, scores are taken at the labels' own size.
        rows: row name to the stage whose networks it scores; the first row is what gains are counted from.
        augmentation: how else each image is shown to the networks, and the probabilities averaged.
        boundary: score the borders of the classes (boundary IoU), too.
    """

    data: Data
    rows: dict[str, Reference] = Field(min_length=1)
    augmentation: Augmentation = Augmentation()
    boundary: bool = False


def check(config: Config) -> None:
    """Refuse scores that the task cannot have, before any training.

    Raises:
        ConfigError: borders or windows, of a task that answers for whole images.
    """
    from pipelines import training

    maps = "label_map" in training.task_of(config.task).offers
    if not maps and (config.boundary or config.augmentation.window is not None):
        raise ConfigError(
            f"boundary and augmentation.window need label maps; {config.task.name} has one class an image, so leave "
            "them out"
        )


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Score every row, print the table and write it as JSON and CSV."""
    from rich.console import Console

    from pipelines import batches
    from segda.engine.live_line import LiveLine
    from segda.report import table, terminal

    dataset = batches.open_data(config, "data", inputs, with_labels=True, session=session)
    rows: dict[str, Evaluation] = {}
    for name, reference in config.rows.items():
        place, manifest = inputs.folder(reference), inputs.manifest(reference)
        share = len(range(session.rank, len(dataset), session.world))
        with LiveLine(f"{folder.name} {name}", 0, share, "images", show=session.is_main) as line:
            rows[name] = score(
                place,
                manifest,
                dataset,
                config.data.resize,
                config.data.split,
                session,
                progress=partial(tell, line),
                inference=config.augmentation.inference(),
                boundary=config.boundary,
            )
    if session.is_main:
        evaluations = {name: row.to_json() for name, row in rows.items()}
        scores = table.build([table.Result(name, [evaluation]) for name, evaluation in evaluations.items()])
        write_json(folder / "evaluation.json", evaluations)
        write_json(folder / "table.json", table.to_json(scores))
        write_whole(folder / "table.csv", table.to_csv(scores).encode())
        Console().print(terminal.renderable(scores, Console().width))
    session.barrier()
    return {name: {"miou": row.confusion.mean_iou()} for name, row in rows.items()}


def tell(line: "LiveLine", done: int, total: int) -> None:
    """Renew the live line after an image, and stop there if that was asked for."""
    from segda.engine import interruption

    line.update(done)
    if done < total:
        interruption.heed("scores are kept when all of the stage's rows are counted")


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
    from pipelines import training
    from segda.data.index import fingerprint
    from segda.engine.evaluate import evaluate
    from segda.engine.inference import PLAIN

    resize = resize or working_size(manifest)
    networks = training.networks_of(stage_folder, manifest.config, ("encoder", "head"), session.device)
    result = evaluate(
        networks,
        dataset,
        training.task_of(Component(**manifest.config["task"])),
        resize=resize,
        inference=inference or PLAIN,
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


def working_size(manifest: Manifest) -> tuple[int, int] | None:
    """The `(height, width)` that a stage resized target images to in training, else its other images."""
    for field in ("target", "data", "source"):
        size = (manifest.config.get(field) or {}).get("resize")
        if size is not None:
            return int(size[0]), int(size[1])
    return None
