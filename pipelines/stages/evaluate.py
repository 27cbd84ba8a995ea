"""Score the networks of several stages on one labelled split: a row each, per class, protocol beside the scores."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat, model_validator

from pipelines.definition.schema import DataConfig, Inputs, Reference, Size, StageConfig, StrictConfig
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
#: Outputs that tell when or how fast they were made, so that no two are equal.
DATED = ("evaluation.json",)


class AugmentationConfig(StrictConfig):
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
    def _sensible(self) -> "AugmentationConfig":
        if not self.model_fields_set:  # the default is; torch is not loaded to find that
            return self
        try:
            self.inference()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def inference(self) -> "Augmentation":
        """The same for the engine."""
        from segda.evaluation.test_time_augmentation import Augmentation

        return Augmentation(**self.model_dump())


class Config(StageConfig):
    """An evaluating stage.

    Attributes:
        data: the labelled split; `resize` is what the networks see, scores are taken at the labels' own size.
        rows: row name to the stage whose networks it scores; the first row is what gains are counted from.
        augmentation: how else each image is shown to the networks, and the probabilities averaged.
        boundary: score the borders of the classes (boundary IoU), too.
    """

    data: DataConfig
    rows: dict[str, Reference] = Field(min_length=1)
    augmentation: AugmentationConfig = AugmentationConfig()
    boundary: bool = False


def check(config: Config) -> None:
    """Refuse scores that the task cannot have, before any training.

    Raises:
        ConfigError: borders or windows, of a task that answers for whole images.
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
    from rich.console import Console

    from pipelines.scoring.score import score
    from pipelines.training.open_data import open_stage_data
    from segda.report import table, terminal
    from segda.terminal.progress import ProgressLine

    dataset = open_stage_data(config, "data", inputs, with_labels=True, session=session)
    rows: dict[str, Evaluation] = {}
    for name, reference in config.rows.items():
        place, manifest = inputs.folder(reference), inputs.manifest(reference)
        share = len(range(session.rank, len(dataset), session.world))
        with ProgressLine(f"{folder.name} {name}", 0, share, "images", show=session.is_main) as line:
            rows[name] = score(
                place,
                manifest,
                dataset,
                config.data.resize,
                config.data.split,
                session,
                progress=partial(show_progress, line),
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


def show_progress(line: "ProgressLine", done: int, total: int) -> None:
    """Renew the live line after an image, and stop there if that was asked for."""
    from segda.engine import signals

    line.update(done)
    if done < total:
        signals.raise_if_stopped("scores are kept when all of the stage's rows are counted")
