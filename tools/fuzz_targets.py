"""Every format that segda reads: sound files of it, and how they are read; what `tools/fuzz.py` spoils."""

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import safetensors.torch

from pipelines import pipeline
from pipelines.__main__ import dispatch
from pipelines.command import data as data_configs
from pipelines.plan import data_root, open_data
from segda.data.index import fingerprint
from segda.engine import checkpoint, video
from segda.errors import SegdaError
from segda.networks import pretrained, weights
from segda.networks.heads import linear
from tools.fuzz_files import (
    HEIGHT,
    WIDTH,
    ids,
    made,
    pictures,
    save,
    write_adapted,
    write_adapted_maps,
    write_arrays,
    write_camvid,
    write_carla,
    write_cityscapes,
    write_class_folders,
    write_folder,
    write_gta5,
    write_mnist,
    write_mnist_m,
    write_npy,
    write_points,
    write_sixteen_bits,
    write_svhn,
    write_synthia,
    write_usps,
    write_usps_hdf5,
)

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


def _looked_at(space: str, config: dict[str, Any], own: bool = True) -> Callable[[Path], None]:
    """Opens a data set as a stage does, reads all of it, then checks it as the command does."""

    def read(folder: Path) -> None:
        file = folder / "own.yaml"
        file.write_text(json.dumps({"root": "set", **config}))
        answers: list[Callable[[], object]] = [lambda: _opened(str(file), folder, space)]
        answers += [lambda: dispatch(["check", str(file), "--root", str(folder), "--labels", space])]
        for answer in answers:
            with contextlib.suppress(SegdaError), contextlib.redirect_stdout(io.StringIO()):
                answer()

    return read


def _opened(file: str, folder: Path, space: str) -> None:
    data = data_configs.read(file, str(folder), None)
    for with_labels in (False, True):
        dataset = open_data(data, space, data_root(data), with_labels)
        fingerprint(dataset)
        for place in range(len(dataset)):
            with contextlib.suppress(SegdaError):
                dataset.read(place)


def _pipeline(root: Path) -> None:
    (made(root) / "job.yaml").write_text(PIPELINE)


def _load_pipeline(folder: Path) -> None:
    pipeline.load(str(folder / "job.yaml"))


def _data_config(root: Path) -> None:
    config = "name: folder\nroot: set\nsplit: train\nimages: i/{split}\nimage_endings: [.png]\nclasses: {1: road}\n"
    (made(root) / "data.yaml").write_text(config + "ignore: [0, 9]\nlimit: 3\nexclude: ['a*']\nresize: [8, 8]\n")


def _read_data_config(folder: Path) -> None:
    data_configs.read(str(folder / "data.yaml"), None, None)


def _network() -> Any:
    return linear.build(channels=(3, 4), strides=(1, 8), classes=3)


def _networks(root: Path) -> None:
    weights.save({"head": _network()}, root)


def _read_networks(folder: Path) -> None:
    weights.load({"head": _network()}, folder)


def _pretrained(root: Path) -> None:
    safetensors.torch.save_file(_network().state_dict(), made(root) / "w.safetensors")


def _read_pretrained(folder: Path) -> None:
    pretrained.load_pretrained(_network(), str(folder / "w.safetensors"))


def _checkpoint(root: Path) -> None:
    checkpoint.save(root, 3, checkpoint.flatten({"head": _network()}), {"optimizer": [{"lr": 0.1, "betas": [0, 1]}]})


def _read_checkpoint(folder: Path) -> None:
    checkpoint.load_newest(folder)


def _video(ending: str, codec: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        path = made(root) / f"drive{ending}"
        opened = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10.0, (WIDTH, HEIGHT))
        for number in range(3):
            opened.write(pictures(number))
        opened.release()

    return write


def _read_video(ending: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        video.describe(folder / f"drive{ending}")
        for place, _ in enumerate(video.frames(folder / f"drive{ending}")):
            if place > 20:
                return

    return read


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
    save(root / "set/leftImg8bit/train/ulm/ulm_000000_000001_leftImg8bit.png", pictures(0))
    save(root / "set/gtFine/train/ulm/ulm_000000_000001_gtFine_labelIds.png", ids(0, (7, 8, 0)))
    (root / "job.yaml").write_text(RUN)
    os.environ["SEGDA_DATA"] = str(root)
    with contextlib.redirect_stdout(io.StringIO()):
        dispatch(["run", str(root / "job.yaml"), "--runs", str(root / "runs")])


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
        with contextlib.suppress(SegdaError), contextlib.redirect_stdout(io.StringIO()):
            dispatch(question)


def _unfinished(folder: Path) -> None:
    for manifest in (folder / "runs").glob("*/manifest.json"):
        manifest.unlink()
    _asked(folder)


OWN = {"name": "folder", "classes": {"1": "road", "2": "car"}}

TARGETS = (
    *(
        Target(f"image{ending}", write_folder(ending), (f"images/train/*{ending}",), _looked_at("cityscapes", {
            **OWN, "image_endings": [ending]}))
        for ending in (".png", ".jpg", ".webp", ".bmp", ".tif", ".gif")
    ),
    Target("image16.png", write_sixteen_bits, ("images/train/*", "labels/train/*"), _looked_at("cityscapes", OWN)),
    Target("label.png", write_folder(".png"), ("labels/train/*",), _looked_at("cityscapes", OWN)),
    Target("colours.png", write_folder(".png"), ("labels/train/*",), _looked_at("cityscapes", {
        "name": "folder", "colours": {"road": [1, 1, 1]}, "ignore_colours": [[2, 2, 2]]})),
    Target("gta5", write_gta5, ("split.mat", "labels/*"), _looked_at("cityscapes", {
        "name": "gta5", "split_file": "split.mat"})),
    Target("synthia", write_synthia, ("GT/LABELS/*",), _looked_at("synthia16", {"name": "synthia"})),
    Target("carla", write_carla, ("CameraSeg/*", "CameraRGB/*"), _looked_at("camvid", {"name": "carla"})),
    Target("camvid", write_camvid, ("trainannot/*",), _looked_at("camvid", {"name": "camvid"})),
    Target("cityscapes", write_cityscapes, ("gtFine/*/*/*",), _looked_at("cityscapes", {"name": "cityscapes"})),
    Target("mnist", write_mnist, ("*",), _looked_at("digits", {"name": "mnist"})),
    Target("usps", write_usps, ("*.bz2",), _looked_at("digits", {"name": "usps"})),
    Target("usps.h5", write_usps_hdf5, ("*.h5",), _looked_at("digits", {"name": "usps"})),
    Target("svhn", write_svhn(True), ("*.mat",), _looked_at("digits", {"name": "svhn"})),
    Target("svhn plain", write_svhn(False), ("*.mat",), _looked_at("digits", {"name": "svhn"})),
    Target("mnist_m", write_mnist_m, ("*.txt",), _looked_at("digits", {"name": "mnist_m"})),
    Target("arrays", write_arrays, ("*.npz",), _looked_at("digits", {"name": "arrays"})),
    Target("npy", write_npy, ("*.npy",), _looked_at("digits", {
        "name": "arrays", "images": "images.npy", "labels": "labels.npy"})),
    Target("points", write_points, ("*.npz",), _looked_at("moons", {"name": "points"})),
    Target("class_folders", write_class_folders, ("*/*.jpg",), _looked_at("digits", {"name": "class_folders"})),
    Target("adapted", write_adapted, ("*.json",), _looked_at("digits", {"name": "adapted"})),
    Target("adapted maps", write_adapted_maps, ("*.json", "*/*"), _looked_at("camvid", {"name": "adapted"})),
    Target("pipeline.yaml", _pipeline, ("*.yaml",), _load_pipeline),
    Target("data.yaml", _data_config, ("*.yaml",), _read_data_config),
    Target("networks", _networks, ("*.safetensors",), _read_networks),
    Target("weights.safetensors", _pretrained, ("*.safetensors",), _read_pretrained),
    Target("checkpoint", _checkpoint, ("*/*",), _read_checkpoint),
    Target("run", write_run, ("runs/*.json", "runs/*/*.json", "runs/*/networks/*"), _asked),
    Target("unfinished run", write_run, ("runs/*/*.json", "runs/*/checkpoints/*/*"), _unfinished),
    Target("video.mp4", _video(".mp4", "mp4v"), ("*.mp4",), _read_video(".mp4")),
    Target("video.avi", _video(".avi", "MJPG"), ("*.avi",), _read_video(".avi")),
)  # fmt: skip
