"""Score the networks of several stages on one labelled split: a row each, by class, with the protocol."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat, model_validator

from pipelines.definition.schema import DataConfig, Inputs, Reference, Size, StageConfig
from pipelines.definition.strict import StrictConfig
from segda.artefacts.manifest import write_json
from segda.errors import ConfigError
from segda.files import write_whole

if TYPE_CHECKING:
    from segda.engine.session import Session
    from segda.evaluation.scores import Evaluation
    from segda.evaluation.test_time_augmentation import Augmentation
    from segda.terminal.progress import ProgressLine

VERSION = 2
OUTPUTS = ("evaluation.json", "table.csv", "table.json")
#: What of a label space counts besides its classes.
LABEL_SPACE = ("categories",)
#: Outputs that contain times, so that no two are equal.
DATED = ("evaluation.json",)


class AugmentationConfig(StrictConfig):
    """Test-time augmentation; the default is none.

    Attributes:
        flip: predict on the mirrored image, too.
        scales: factors of the size that the networks see.
        window: `(height, width)` that networks see at a time; `None` for the whole image.
        stride: `(height, width)` from one window to the next; `None` for two thirds of the window's.
    """

    flip: bool = False
    scales: tuple[PositiveFloat, ...] = (1.0,)
    window: Size | None = None
    stride: Size | None = None

    @model_validator(mode="after")
    def _sensible(self) -> "AugmentationConfig":
        if not self.model_fields_set:  # the default needs no check, and no import of torch
            return self
        try:
            self.build()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def build(self) -> "Augmentation":
        """The augmentation for predictions."""
        from segda.evaluation.test_time_augmentation import Augmentation

        return Augmentation(**self.model_dump())


class Config(StageConfig):
    """An evaluating stage.

    Attributes:
        data: the labelled split; `resize` is the size for the networks, scores are taken at the labels' own size.
        rows: row name to the stage whose networks it scores; gains are over the first row.
        augmentation: at test time.
        boundary: score the borders of the classes (boundary IoU), too.
    """

    data: DataConfig
    rows: dict[str, Reference] = Field(min_length=1)
    augmentation: AugmentationConfig = AugmentationConfig()
    boundary: bool = False


def check(config: Config) -> None:
    """Refuse options that do not fit the task, before any training.

    Raises:
        ConfigError: borders or windows, for a task with one class an image.
    """
    from pipelines.networks import build_task

    maps = "label_map" in build_task(config.task).offers
    if not maps and (config.boundary or config.augmentation.window is not None):
        raise ConfigError(
            f"boundary and augmentation.window need label maps; {config.task.name} has one class an image, so leave "
            "them out"
        )


def run(config: Config, inputs: Inputs, folder: Path, session: "Session") -> dict[str, Any]:
    """Score every row, print the table and write it as JSON and CSV."""
    from pipelines.scoring.score import score
    from pipelines.training.open_data import open_stage_data
    from segda.report import table
    from segda.report.terminal import print_scores
    from segda.terminal.progress import ProgressLine

    dataset = open_stage_data(config, "data", inputs, with_labels=True, session=session)
    rows: dict[str, Evaluation] = {}
    for name, reference in config.rows.items():
        share = len(range(session.rank, len(dataset), session.world))
        with ProgressLine(f"{folder.name} {name}", 0, share, "images", show=session.is_main, folder=folder) as line:
            rows[name] = score(
                inputs.folder(reference), inputs.manifest(reference), config.data, dataset, session,
                augmentation=config.augmentation.build(), boundary=config.boundary,
                progress=partial(show_progress, line),
            )  # fmt: skip
    if session.is_main:
        evaluations = {name: row.to_json() for name, row in rows.items()}
        write_json(folder / "evaluation.json", evaluations)
        scores = print_scores(evaluations)
        write_json(folder / "table.json", table.to_json(scores))
        write_whole(folder / "table.csv", table.to_csv(scores).encode())
    session.barrier()
    return {name: {"miou": row.confusion.mean_iou()} for name, row in rows.items()}


def show_progress(line: "ProgressLine", done: int, total: int) -> None:
    """Update the progress line after an image, and raise if a signal asked to stop."""
    from segda.engine import signals

    line.update(done)
    if done < total:
        signals.raise_if_stopped("scores are kept when all of the stage's rows are counted")
