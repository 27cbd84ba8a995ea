"""Every format that segda reads: sound files of it, and how they are read; what `tools/fuzz.py` spoils."""

import contextlib
import io
import itertools
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import safetensors.torch

from pipelines.command_line import dispatch
from pipelines.commands import arguments as data_configs
from pipelines.definition import loading
from pipelines.training.open_data import data_root, open_dataset
from segda.data.index import fingerprint
from segda.engine import checkpoint
from segda.errors import SegdaError
from segda.evaluation import video
from segda.networks import pretrained, weights
from segda.networks.heads import linear
from tools.fuzz_files import FILES, HEIGHT, WIDTH, Files, folder, pictures, write

PIPELINE = """
task: {name: segmentation, labels: cityscapes}
seed: 3
runtime: {cpu: true, workers: 0}
stages:
  source: &trained
    kind: supervise
    data: {name: gta5, root: set, split: train, exclude: ["1*"], resize: [12, 16]}
    method: {title: plain, terms: {classification: {weight: 1}}}
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: linear}}
    steps: 2
    batch: 2
    crop: [8, 8]
    augment: {flip: true, scale: [0.5, 1.5], photometry: null}
    optimizer: {name: sgd, learning_rate: 1e-3}
  again: {<<: *trained, steps: 3}
  evaluate:
    kind: evaluate
    data: {name: cityscapes, root: set, split: val}
    rows: {first: {from: source}, second: {from: again}}
"""


class Target(NamedTuple):
    """One format.

    Attributes:
        name: of the format.
        write: writes sound files below a folder.
        spoilt: patterns of the files to spoil.
        read: reads them as segda does; a `SegdaError` is an answer.
    """

    name: str
    write: Callable[[Path], None]
    spoilt: tuple[str, ...]
    read: Callable[[Path], None]


def _data_reader(space: str, config: dict[str, Any]) -> Callable[[Path], None]:
    """Opens a data set as a stage does, reads all of it, then checks it as the command does."""

    def read(folder: Path) -> None:
        file = folder / "own.yaml"
        file.write_text(json.dumps({"root": "set", **config}))
        with contextlib.suppress(SegdaError):
            _read_all(str(file), folder, space)
        _dispatch("check", str(file), "--root", str(folder), "--labels", space)

    return read


def _dispatch(*words: str) -> None:
    with contextlib.suppress(SegdaError), contextlib.redirect_stdout(io.StringIO()):
        dispatch(list(words))


def _read_all(file: str, folder: Path, space: str) -> None:
    data = data_configs.read_data(file, str(folder), None)
    for with_labels in (False, True):
        dataset = open_dataset(data, space, data_root(data), with_labels)
        fingerprint(dataset)
        for index in range(len(dataset)):
            with contextlib.suppress(SegdaError):
                dataset.read(index)


def _load_pipeline(folder: Path) -> None:
    loading.load(str(folder / "job.yaml"))


DATA_CONFIG = """
{name: folder, root: set, split: train, images: "i/{split}", image_endings: [.png], classes: {1: road}, ignore: [0, 9],
 limit: 3, exclude: ['a*'], resize: [8, 8]}
"""


def _read_data_config(folder: Path) -> None:
    data_configs.read_data(str(folder / "data.yaml"), None, None)


def _network() -> Any:
    return linear.build(channels=(3, 4), strides=(1, 8), classes=3)


def _networks(root: Path) -> None:
    weights.save({"head": _network()}, root)


def _read_networks(folder: Path) -> None:
    weights.load({"head": _network()}, folder)


def _pretrained(root: Path) -> None:
    root.mkdir(parents=True)
    safetensors.torch.save_file(_network().state_dict(), root / "w.safetensors")


def _read_pretrained(folder: Path) -> None:
    pretrained.load_pretrained(_network(), str(folder / "w.safetensors"))


def _checkpoint(root: Path) -> None:
    checkpoint.save(root, 3, checkpoint.flatten({"head": _network()}), {"optimizer": [{"lr": 0.1, "betas": [0, 1]}]})


def _read_checkpoint(folder: Path) -> None:
    checkpoint.load_newest(folder)


def _video(root: Path, ending: str, codec: str) -> None:
    root.mkdir(parents=True)
    video_file = cv2.VideoWriter(str(root / f"drive{ending}"), cv2.VideoWriter.fourcc(*codec), 10.0, (WIDTH, HEIGHT))
    for number in range(3):
        video_file.write(pictures(number))
    video_file.release()


def _read_video(folder: Path) -> None:
    (file,) = folder.iterdir()
    video.describe(file)
    for _ in itertools.islice(video.frames(file), 20):
        pass


RUN = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0, save_every: 1, log_every: 1}
stages:
  source:
    kind: supervise
    data: {name: cityscapes, root: set}
    method: source_only
    networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: linear}}
    steps: 2
    batch: 1
  adapted:
    kind: export
    data: {name: cityscapes, root: set}
    target: {name: folder, root: set, images: leftImg8bit}
    method: fda
  evaluate:
    kind: evaluate
    data: {name: cityscapes, root: set}
    rows: {source only: {from: source}}
"""


def write_run(root: Path) -> None:
    """A finished run beside its data."""
    write(FILES["cityscapes"], root / "set")
    (root / "job.yaml").write_text(RUN)
    os.environ["SEGDA_DATA"] = str(root)
    _dispatch("run", str(root / "job.yaml"), "--runs", str(root / "runs"))


def _asked(folder: Path) -> None:
    """All that is asked of a finished run, and then the run again, of which a part is no longer finished."""
    os.environ["SEGDA_DATA"] = str(folder)
    runs, job = ["--runs", str(folder / "runs")], str(folder / "job.yaml")
    export = next((folder / "runs").glob("export-*"))
    questions = [
        ["status", *runs, "--verify"], ["report", "job", *runs], ["table", "job", *runs, "--classes"],
        ["run", job, "--plan", *runs], ["check", str(export)], ["run", job, *runs],
        ["evaluate", "job", "--data", str(folder / "scored.yaml"), "--cpu", *runs],
    ]  # fmt: skip
    (folder / "scored.yaml").write_text("{name: cityscapes, root: set}")
    for question in questions:
        _dispatch(*question)


def _unfinished(folder: Path) -> None:
    for manifest in (folder / "runs").glob("*/manifest.json"):
        manifest.unlink()
    _asked(folder)


OWN = {"name": "folder", "classes": {"1": "road", "2": "car"}}
COLOURS = {"name": "folder", "colours": {"road": [1, 1, 1]}, "ignore_colours": [[2, 2, 2]]}
ARRAYS = {"name": "arrays", "images": "images.npy", "labels": "labels.npy"}


def _data(name: str, space: str, config: dict[str, Any], *spoilt: str, files: Files | None = None) -> Target:
    """A format of data sets."""
    return Target(name, partial(write, files or FILES[name]), spoilt, _data_reader(space, config))


TARGETS = (
    *(
        _data(
            f"image{ending}",
            "cityscapes",
            {**OWN, "image_endings": [ending]},
            f"images/train/*{ending}",
            files=folder(ending),
        )
        for ending in (".png", ".jpg", ".webp", ".bmp", ".tif", ".gif")
    ),
    _data("image16.png", "cityscapes", OWN, "images/train/*", "labels/train/*"),
    _data("label.png", "cityscapes", OWN, "labels/train/*", files=folder(".png")),
    _data("colours.png", "cityscapes", COLOURS, "labels/train/*", files=folder(".png")),
    _data("gta5", "cityscapes", {"name": "gta5", "split_file": "split.mat"}, "split.mat", "labels/*"),
    _data("synthia", "synthia16", {"name": "synthia"}, "GT/LABELS/*"),
    _data("carla", "camvid", {"name": "carla"}, "CameraSeg/*", "CameraRGB/*"),
    _data("camvid", "camvid", {"name": "camvid"}, "trainannot/*"),
    _data("cityscapes", "cityscapes", {"name": "cityscapes"}, "gtFine/*/*/*"),
    _data("mnist", "digits", {"name": "mnist"}, "*"),
    _data("usps", "digits", {"name": "usps"}, "*.bz2"),
    _data("usps.h5", "digits", {"name": "usps"}, "*.h5"),
    _data("svhn", "digits", {"name": "svhn"}, "*.mat"),
    _data("svhn plain", "digits", {"name": "svhn"}, "*.mat"),
    _data("mnist_m", "digits", {"name": "mnist_m"}, "*.txt"),
    _data("arrays", "digits", {"name": "arrays"}, "*.npz"),
    _data("npy", "digits", ARRAYS, "*.npy"),
    _data("points", "moons", {"name": "points"}, "*.npz"),
    _data("class_folders", "digits", {"name": "class_folders"}, "*/*.jpg"),
    _data("adapted", "digits", {"name": "adapted"}, "*.json"),
    _data("adapted maps", "camvid", {"name": "adapted"}, "*.json", "*/*"),
    Target("pipeline.yaml", partial(write, {"job.yaml": PIPELINE}), ("*.yaml",), _load_pipeline),
    Target("data.yaml", partial(write, {"data.yaml": DATA_CONFIG}), ("*.yaml",), _read_data_config),
    Target("networks", _networks, ("*.safetensors",), _read_networks),
    Target("weights.safetensors", _pretrained, ("*.safetensors",), _read_pretrained),
    Target("checkpoint", _checkpoint, ("*/*",), _read_checkpoint),
    Target("run", write_run, ("runs/*.json", "runs/*/*.json", "runs/*/networks/*"), _asked),
    Target("unfinished run", write_run, ("runs/*/*.json", "runs/*/checkpoints/*/*"), _unfinished),
    Target("video.mp4", partial(_video, ending=".mp4", codec="mp4v"), ("*.mp4",), _read_video),
    Target("video.avi", partial(_video, ending=".avi", codec="MJPG"), ("*.avi",), _read_video),
)
