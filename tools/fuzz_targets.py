"""Every format that segda reads: how its valid files are written and read; `tools/fuzz.py` corrupts them."""

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
from safetensors.torch import save

from pipelines.command_line import dispatch
from pipelines.commands.arguments import read_data
from pipelines.definition import labels, loading
from pipelines.training.open_data import data_root, open_dataset
from segda import label_space
from segda.data.index import fingerprint
from segda.engine import checkpoint
from segda.errors import SegdaError
from segda.evaluation import video
from segda.networks import weights
from segda.networks.heads import linear
from segda.networks.pretrained import load_pretrained
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
    """One format: its name, how valid files are written, patterns of those to corrupt, and how they are read."""

    name: str
    write: Callable[[Path], object]
    corrupted: tuple[str, ...]
    read: Callable[[Path], object]


def _data(name: str, space: str, config: dict[str, Any], *corrupted: str, files: Files | None = None) -> Target:
    """A format of data sets: opened as by a stage, all of it read, then checked by the command."""

    def read(folder: Path) -> None:
        file = folder / "own.yaml"
        file.write_text(json.dumps({"root": "set", **config}))
        with contextlib.suppress(SegdaError):
            _read_all(str(file), folder, space)
        _dispatch("check", str(file), "--root", str(folder), "--labels", space)

    return Target(name, partial(write, files or FILES[name]), corrupted, read)


def _dispatch(*words: str) -> None:
    with contextlib.suppress(SegdaError), contextlib.redirect_stdout(io.StringIO()):
        dispatch(list(words))


def _read_all(file: str, folder: Path, space: str) -> None:
    data = read_data(file, str(folder), None)
    for with_labels in (False, True):
        dataset = open_dataset(data, space, data_root(data), with_labels)
        fingerprint(dataset)
        for index in range(len(dataset)):
            with contextlib.suppress(SegdaError):
                dataset.read(index)


DATA_CONFIG = """
{name: folder, root: set, split: train, images: "i/{split}", image_endings: [.png], classes: {1: road}, ignore: [0, 9],
 limit: 3, exclude: ['a*'], resize: [8, 8]}
"""


def _head() -> Any:
    return linear.build(channels=(3, 4), strides=(1, 8), classes=3)


def _checkpoint(root: Path) -> None:
    checkpoint.save(root, 3, checkpoint.flatten({"head": _head()}), {"optimizer": [{"lr": 0.1, "betas": [0, 1]}]})


def _video(root: Path, name: str, codec: str) -> None:
    root.mkdir(parents=True)
    file = cv2.VideoWriter(str(root / name), cv2.VideoWriter.fourcc(*codec), 10.0, (WIDTH, HEIGHT))
    for number in range(3):
        file.write(pictures(number))
    file.release()


def _read_video(folder: Path) -> None:
    (file,) = folder.iterdir()
    video.describe(file)
    list(itertools.islice(video.frames(file), 20))


RUN = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0, save_every: 1, log_every: 1}
stages:
  source: {kind: supervise, data: {name: cityscapes, root: set}, method: source_only, steps: 2, batch: 1,
           networks: {encoder: {name: small, width: 4, blocks: 1}, head: {name: linear}}}
  adapted: {kind: export, data: {name: cityscapes, root: set}, method: fda,
            target: {name: folder, root: set, images: leftImg8bit}}
  evaluate: {kind: evaluate, data: {name: cityscapes, root: set}, rows: {source only: {from: source}}}
"""


def write_run(root: Path) -> None:
    """A finished run next to its data."""
    write({**{f"set/{name}": content for name, content in FILES["cityscapes"].items()}, "job.yaml": RUN}, root)
    os.environ["SEGDA_DATA"] = str(root)
    _dispatch("run", str(root / "job.yaml"), "--runs", str(root / "runs"))


def _read_run(folder: Path) -> None:
    """All commands on a finished run, and then the run again, a part of which is no longer finished."""
    os.environ["SEGDA_DATA"] = str(folder)
    runs, job = ["--runs", str(folder / "runs")], str(folder / "job.yaml")
    export = next((folder / "runs").glob("export-*"))
    (folder / "scored.yaml").write_text("{name: cityscapes, root: set}")
    for words in (
        ["status", *runs, "--verify"], ["report", "job", *runs], ["table", "job", *runs, "--classes"],
        ["run", job, "--plan", *runs], ["check", str(export)], ["run", job, *runs],
        ["evaluate", "job", "--data", str(folder / "scored.yaml"), "--cpu", *runs],
    ):  # fmt: skip
        _dispatch(*words)


def _read_unfinished(folder: Path) -> None:
    for manifest in (folder / "runs").glob("*/manifest.json"):
        manifest.unlink()
    _read_run(folder)


FOGGY = {
    "name": "cityscapes", "images": "leftImg8bit_foggy", "image_endings": [".png"], "several_images": True
}  # fmt: skip
BESIDE = {
    "name": "folder", "images": "{split}", "labels": "{split}", "label_endings": ["_mask.png"],
    "classes": {"1..2": "car"},
}  # fmt: skip
LABELS = """
classes: {0..127: background, 128..254: coin}
ignore: [255]
palette: {background: [0, 0, 0], coin: [255, 200, 0]}
things: [coin]
categories: {money: [coin], other: [background]}
"""
OWN = {"name": "folder", "classes": {"1": "road", "2": "car"}}
COLOURS = {"name": "folder", "colours": {"road": [1, 1, 1]}, "ignore_colours": [[2, 2, 2]]}
ARRAYS = {"name": "arrays", "images": "images.npy", "labels": "labels.npy"}


TARGETS = (
    *(
        _data(f"image{end}", "cityscapes", {**OWN, "image_endings": [end]}, f"images/train/*{end}", files=folder(end))
        for end in (".png", ".jpg", ".webp", ".bmp", ".tif", ".gif")
    ),
    _data("image16.png", "cityscapes", OWN, "images/train/*", "labels/train/*"),
    _data("label.png", "cityscapes", OWN, "labels/train/*", files=folder(".png")),
    _data("colours.png", "cityscapes", COLOURS, "labels/train/*", files=folder(".png")),
    _data("gta5", "cityscapes", {"name": "gta5", "split_file": "split.mat"}, "split.mat", "labels/*"),
    _data("synthia", "synthia16", {"name": "synthia"}, "GT/LABELS/*"),
    _data("carla", "camvid", {"name": "carla"}, "CameraSeg/*", "CameraRGB/*"),
    _data("camvid", "camvid", {"name": "camvid"}, "trainannot/*"),
    _data("cityscapes", "cityscapes", {"name": "cityscapes"}, "gtFine/*/*/*"),
    _data("acdc", "cityscapes", {"name": "acdc", "conditions": ["night"]}, "gt/*/*/*/*"),
    _data("idd", "cityscapes", {"name": "idd"}, "gtFine/*/*/*", "leftImg8bit/*/*/*"),
    _data("foggy", "cityscapes", FOGGY, "gtFine/*/*/*"),
    _data("list", "cityscapes", {**OWN, "list": "lists/{split}.txt"}, "lists/*"),
    _data("bands", "cityscapes", {**OWN, "bands": [3, 2, 1], "values": [0, 4095]}, "images/train/*"),
    _data("lying", "cityscapes", {**OWN, "orientation": "apply"}, "images/train/*"),
    _data("lying, unsaid", "cityscapes", OWN, "images/train/*", files=FILES["lying"]),
    _data("bits", "cityscapes", {**OWN, "classes": {"0": "road", "1": "car"}}, "labels/train/*"),
    _data("beside", "cityscapes", BESIDE, "train/*"),
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
    Target("pipeline.yaml", partial(write, {"job.yaml": PIPELINE}), ("*.yaml",),
           lambda folder: loading.load(str(folder / "job.yaml"))),
    Target("data.yaml", partial(write, {"data.yaml": DATA_CONFIG}), ("*.yaml",),
           lambda folder: read_data(str(folder / "data.yaml"), None, None)),
    Target("labels.yaml", partial(write, {"labels.yaml": LABELS}), ("*.yaml",),
           lambda folder: label_space.load(labels.resolved(str(folder / "labels.yaml"), "labels"))),
    Target("networks", lambda root: weights.save({"head": _head()}, root), ("*.safetensors",),
           lambda folder: weights.load({"head": _head()}, folder)),
    Target("weights.safetensors", lambda root: write({"w.safetensors": save(_head().state_dict())}, root),
           ("*.safetensors",), lambda folder: load_pretrained(_head(), str(folder / "w.safetensors"))),
    Target("checkpoint", _checkpoint, ("*/*",), checkpoint.load_newest),
    Target("run", write_run, ("runs/*.json", "runs/*/*.json", "runs/*/networks/*"), _read_run),
    Target("unfinished run", write_run, ("runs/*/*.json", "runs/*/checkpoints/*/*"), _read_unfinished),
    Target("video.mp4", partial(_video, name="drive.mp4", codec="mp4v"), ("*.mp4",), _read_video),
    Target("video.avi", partial(_video, name="drive.avi", codec="MJPG"), ("*.avi",), _read_video),
)  # fmt: skip
