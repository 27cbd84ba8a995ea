"""What `segda` offers to Python, by the same code as the command line; `segda/__init__.py` names it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from pipelines.commands.arguments import finished_rows, read_data
from pipelines.commands.predict import default_row
from pipelines.definition import labels as label_files
from pipelines.definition.loading import resolve
from pipelines.definition.schema import DataConfig, MethodConfig
from pipelines.networks import load_predictor
from pipelines.sharing.predictor import LoadedPredictor
from pipelines.training.open_data import data_root
from pipelines.training.unreadable_files import open_readable
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import read_json
from segda.artefacts.store import Store
from segda.config import loading as configs
from segda.config.validation import validate
from segda.errors import ArtefactError, ConfigError
from segda.evaluation.test_time_augmentation import NO_AUGMENTATION, Augmentation
from segda.export import index
from segda.objectives import objective as objectives
from segda.objectives.method import Method
from segda.report.scores import Scores

if TYPE_CHECKING:
    from segda.label_space import Labels

PathOrName = str | PathLike[str]


def load(
    path: PathOrName, row: str | None = None, device: torch.device | str | None = None, *, runs: PathOrName = "runs"
) -> LoadedPredictor:
    """Finished networks as a predictor, which predicts what `segda predict` does.

    Args:
        path: a run's name or lock file, a finished stage's folder, one that `save_pretrained` wrote, or
            `hf-hub:owner/name`.
        row: of the run's evaluation, or a stage; `None` for the last row that was not trained on target labels.
        device: where the networks are; `None` for the GPU if there is one.
        runs: the folder of results, for a run's name.

    Raises:
        ArtefactError: there is no such run or row, or it is not finished, or cannot be fetched.
    """
    rows = finished_rows(Store(Path(runs)), str(path), [] if row is None else [row])
    name = default_row(rows)
    folder, manifest = rows[name]
    place = torch.device(device if device is not None else "cuda" if torch.cuda.is_available() else "cpu")
    return LoadedPredictor.of(load_predictor(folder, manifest, place), name, folder, manifest)


def method(name: PathOrName | Mapping[str, Any]) -> Method:
    """A method for one's own networks, data and loop: a shipped one, a YAML file's, or a mapping as such a file holds.

    Raises:
        ConfigError: there is no such method, it is wrong, or it trains nothing.
    """
    where = "method" if isinstance(name, Mapping) else str(name)
    if isinstance(name, Mapping):
        content = configs.with_base(name, "methods", where)
    else:
        content = configs.load(configs.find(where, "methods"), "methods")
    config = validate(MethodConfig, content, where)
    if not config.terms:
        raise ConfigError(f"{where}: {config.title!r} translates images without training; it has no objective")
    terms = objectives.build(config.terms)
    return Method(config.title or where, config.source, config.tied, tuple(config.frozen), terms)


@dataclass(frozen=True)
class FinishedRun:
    """A run of a pipeline and where its results lie.

    Attributes:
        name: the run's name, by which other functions and commands find it.
        runs: the folder of results.
        folders: the folder of each finished stage, by the stage's name.
    """

    name: str
    runs: Path
    folders: dict[str, Path]

    @property
    def rows(self) -> list[str]:
        """The rows, or else the stages, that `segda.load` can load; see `demand_latest`."""
        self.demand_latest()
        return list(finished_rows(Store(self.runs), self.name))

    @property
    def scores(self) -> Scores:
        """The table of the run's evaluation; of several, the last one.

        Raises:
            ArtefactError: the pipeline evaluates nothing.
        """
        tables = [folder / "evaluation.json" for folder in self.folders.values()]
        finished = [table for table in tables if table.is_file()]
        if not finished:
            raise ArtefactError(f"{self.name}: no finished evaluation; score a row with segda.evaluate")
        return Scores(read_json(finished[-1]))

    @property
    def report(self) -> Path | None:
        """The report's page; `None` where the pipeline writes none."""
        pages = (folder / "report.html" for folder in self.folders.values())
        return next((page for page in pages if page.is_file()), None)

    def load(self, row: str | None = None, device: torch.device | str | None = None) -> LoadedPredictor:
        """As `segda.load`; see `demand_latest`."""
        self.demand_latest()
        return load(self.name, row, device, runs=self.runs)

    def demand_latest(self) -> None:
        """Refuse where the name now stands for other results than when this run ended.

        Raises:
            ArtefactError: the pipeline was run again, with other settings.
        """
        if finished_folders(self.name, self.runs) != self.folders:
            raise ArtefactError(
                f"{self.name}: run again since, with other settings, so that its rows are of that run; load a stage's "
                "folder, or use another `runs` for each"
            )


def finished_folders(name: str, runs: Path) -> dict[str, Path]:
    """The folder of each finished stage of a run, by the stage's name."""
    stages = Store(runs).read_lock(name)["stages"]
    folders = {stage: runs / entry["folder"] for stage, entry in stages.items() if entry["folder"]}
    return {stage: folder for stage, folder in folders.items() if (folder / manifests.FILE_NAME).is_file()}


def run(
    name: PathOrName, settings: Sequence[str] = (), *, runs: PathOrName = "runs", processes: int = 1
) -> FinishedRun:
    """Run a pipeline as `segda run` does: what is finished is skipped, what was interrupted goes on.

    Args:
        name: a shipped pipeline, or a YAML file.
        settings: changes such as `seed=1` or `stages.feature.steps=100`.
        runs: the folder of results.
        processes: on this machine.

    Raises:
        SegdaError: whatever the command would end with.
        KeyboardInterrupt: it was stopped, also by SIGTERM; call it again to go on.
    """
    from pipelines.command_line import dispatch

    words = ["run", str(name), "--runs", str(runs), "--processes", str(processes)]
    code = dispatch([*words, *(word for setting in settings for word in ("--set", setting))])
    if code:
        raise ArtefactError(f"{name}: a process ended with code {code}; its own error is above")
    called = resolve(str(name), settings)[0]
    return FinishedRun(called, Path(runs), finished_folders(called, Path(runs)))


def evaluate(
    run: PathOrName | FinishedRun,
    data: str,
    split: str | None = None,
    *,
    root: PathOrName | None = None,
    rows: Sequence[str] = (),
    runs: PathOrName = "runs",
    augmentation: Augmentation = NO_AUGMENTATION,
    boundary: bool = False,
    cpu: bool = False,
) -> Scores:
    """Score finished networks on any labelled split, as `segda evaluate` does.

    Args:
        run: what `segda.load` takes, or what `segda.run` returned.
        data: a data config's name, a YAML file, or a finished export's folder.
        split: instead of the config's.
        root: the data set's folder, instead of the config's.
        rows: rows or stages; none for all rows.
        runs: the folder of results, for a run's name.
        augmentation: at test time.
        boundary: score the borders of the classes, too.
        cpu: stay on the CPU although there is a GPU.

    Raises:
        SegdaError: there is no such run, row or data set, or its labels cannot be read in the label space.
    """
    from pipelines.scoring.score import score_rows
    from segda.engine.session import Session

    place, name = Path(runs), str(run)
    if isinstance(run, FinishedRun):
        run.demand_latest()
        place, name = run.runs, run.name
    chosen = finished_rows(Store(place), name, list(rows))
    session = Session(cpu=cpu)
    scored = score_rows(
        chosen, read_data(data, None if root is None else str(root), split), session,
        augmentation=augmentation, boundary=boundary,
    )  # fmt: skip
    session.close()
    return Scores({row: evaluation.to_json() for row, evaluation in scored.items()})


class DecodedDataset(TorchDataset[Any]):
    """A data set as PyTorch's loaders take it; see `segda.dataset`.

    Attributes:
        data: the indexed files: keys, paths, label space.
    """

    def __init__(self, data: Any, transform: Callable[..., Any] | None) -> None:
        self.data, self.transform = data, transform

    def __len__(self) -> int:
        """The number of images."""
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        """Image and label, or the image alone where the set was opened without labels."""
        image, label = self.data.read(range(len(self))[index])
        if self.transform is not None:
            return self.transform(image) if label is None else self.transform(image, label)
        tensor = _in_unit_range(torch.from_numpy(image.copy()).permute(2, 0, 1))
        return tensor if label is None else (tensor, torch.from_numpy(label.astype("int64")))


def dataset(
    data: PathOrName,
    root: PathOrName | None = None,
    split: str | None = None,
    *,
    labels: "Labels | Literal[False] | None" = None,
    transform: Callable[..., Any] | None = None,
) -> DecodedDataset:
    """A data set for PyTorch's loaders: item i is `(image, label)`.

    The image is float32 `[3, H, W]` in `[0, 1]`, RGB; the label int64 `[H, W]` of class indices, 255 where ignored, or
    without dimensions where it is one class for the image. Sizes are those of the files, so loaders that batch several
    need a `transform`.

    Args:
        data: a data config's name such as `gta5`, a YAML file, a finished export's folder, or
            `hf-hub:datasets/owner/name`.
        root: the data set's folder, instead of the config's below `SEGDA_DATA`.
        split: instead of the config's.
        labels: the label space: a name, a YAML file, a mapping; `None` for that of an export, else `cityscapes`;
            `False` for images alone, without opening labels.
        transform: called with the decoded image, uint8 `[H, W, 3]`, and label, uint8 `[H, W]`, where labels are opened;
            its result is the item.

    Raises:
        ConfigError: there is no such data set or label space.
        DataError: the folder is missing or is not as the reader expects, or the labels cannot be what they should be.
    """
    config = read_data(str(data), None if root is None else str(root), split)
    space = label_files.resolved(labels or _recorded_labels(config) or "cityscapes", "labels")
    return DecodedDataset(open_readable(config, space, labels is not False), transform)


def _recorded_labels(data: DataConfig) -> Any:
    """The label space of an export; `None` for other data."""
    return index.load(data_root(data))["config"]["task"]["labels"] if data.name == "adapted" else None


def _in_unit_range(image: Tensor) -> Tensor:
    """A decoded image, uint8 or float32 in `[-1, 1]`, as float32 in `[0, 1]`."""
    return (image + 1) / 2 if image.is_floating_point() else image.float() / 255
