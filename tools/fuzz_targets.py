"""Sound files of every format that segda reads, and how each is read: what `tools/fuzz.py` spoils."""

import bz2
import contextlib
import gzip
import io
import json
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

from pipelines import pipeline
from pipelines.__main__ import dispatch
from pipelines.command import data as data_configs
from pipelines.plan import data_root, open_data
from segda.data.index import fingerprint
from segda.engine import checkpoint, video
from segda.errors import SegdaError
from segda.labels.cityscapes import id_palette
from segda.networks import pretrained, weights
from segda.networks.heads import linear

HEIGHT, WIDTH, COUNT = 12, 16, 4
LABELS = np.array([7, 0, 9, 3])

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


def pictures(seed: int, channels: int = 3, dtype: Any = np.uint8) -> np.ndarray:
    """Random pixels."""
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(seed).integers(0, 256, shape).astype(dtype)


def ids(seed: int, choices: Sequence[int]) -> np.ndarray:
    """Random native ids."""
    return np.random.default_rng(seed).choice(choices, (HEIGHT, WIDTH)).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, palette: bool = False) -> None:
    """Write a picture in the format of its ending, optionally with Cityscapes' palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette(id_palette())
    image.save(path)


def idx(array: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


GREY = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (COUNT, 16, 16, 3), dtype=np.uint8)


def _folder(ending: str, **options: Any) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        for number in range(2):
            save(root / "images" / "train" / f"{number}{ending}", pictures(number))
            save(root / "labels" / "train" / f"{number}.png", ids(number, (1, 2)))

    return write


def _sixteen_bits(root: Path) -> None:
    for number in range(2):
        path = root / "images" / "train" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pictures(number, 3, np.uint16) * 257)
        Image.fromarray(ids(number, (1, 2)).astype(np.uint16)).save(_made(root / "labels/train") / f"{number}.png")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _gta5(root: Path) -> None:
    for number in (1, 2, 20801):
        save(root / "images" / f"{number:05d}.png", pictures(number))
        save(root / "labels" / f"{number:05d}.png", ids(number, (7, 8, 11)), palette=True)
    savemat(root / "split.mat", {"trainIds": np.array([[1], [20801]]), "valIds": np.array([[2]])})


def _synthia(root: Path) -> None:
    save(root / "RGB" / "0000000.png", pictures(0))
    channels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint16)
    channels[:, :, 2] = ids(0, (1, 2, 3))
    assert cv2.imwrite(str(_made(root / "GT" / "LABELS") / "0000000.png"), channels)


def _carla(root: Path) -> None:
    save(root / "CameraRGB" / "1.jpg", pictures(0))
    save(root / "CameraSeg" / "1.png", np.stack([ids(0, (7, 8)), ids(1, (0,)), ids(2, (0,))], axis=2))


def _camvid(root: Path) -> None:
    save(root / "train" / "1.png", pictures(0))
    save(root / "trainannot" / "1.png", ids(0, (0, 1, 11)))


def _cityscapes(root: Path) -> None:
    save(root / "leftImg8bit/train/ulm/ulm_000000_000001_leftImg8bit.png", pictures(0))
    save(root / "gtFine/train/ulm/ulm_000000_000001_gtFine_labelIds.png", ids(0, (7, 8, 0)))


def _mnist(root: Path) -> None:
    _made(root)
    (root / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(GREY)))
    (root / "train-labels-idx1-ubyte").write_bytes(idx(LABELS.astype(np.uint8)))


def _usps(root: Path) -> None:
    lines = [
        f"{label + 1} " + " ".join(f"{place}:{2 * value / 255 - 1:.4f}" for place, value in enumerate(row, 1))
        for label, row in zip(LABELS, GREY.reshape(COUNT, -1).tolist(), strict=True)
    ]
    (_made(root) / "usps.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))


def _usps_hdf5(root: Path) -> None:
    with h5py.File(_made(root) / "usps.h5", "w") as file:
        file["train/data"] = (GREY.reshape(COUNT, -1) / 255).astype(np.float32)
        file["train/target"] = LABELS


def _svhn(compressed: bool) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        native = np.where(LABELS == 0, 10, LABELS)[:, None]
        content = {"X": COLOUR.transpose(1, 2, 3, 0), "y": native}
        savemat(_made(root) / "train_32x32.mat", content, do_compression=compressed)

    return write


def _mnist_m(root: Path) -> None:
    for number, picture in enumerate(COLOUR):
        save(root / "mnist_m_train" / f"{number}.png", picture)
    lines = [f"{number}.png {label}" for number, label in enumerate(LABELS)]
    (root / "mnist_m_train_labels.txt").write_text("\n".join(lines))


def _arrays(root: Path) -> None:
    np.savez(_made(root) / "train.npz", images=COLOUR, labels=LABELS)


def _npy(root: Path) -> None:
    np.save(_made(root) / "images.npy", COLOUR)
    np.save(root / "labels.npy", LABELS)


def _points(root: Path) -> None:
    np.savez(_made(root) / "train.npz", points=np.linspace(-1, 1, 8).reshape(4, 2), labels=LABELS % 2)


def _class_folders(root: Path) -> None:
    for number in range(10):
        save(root / str(number) / "1.jpg", pictures(number))


def _adapted(root: Path) -> None:
    classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
    content = {"space": "digits", "classes": classes, "keys": ["a", "b"], "labels": [1, 2], "format": "png",
               "layout": "segda", "files": {"images/a.png": {"bytes": 1, "sha256": ""}}}  # fmt: skip
    for number, key in enumerate(("a", "b")):
        save(root / "images" / f"{key}.png", pictures(number))
    content["files"] = {"images/a.png": {"bytes": (root / "images/a.png").stat().st_size, "sha256": ""}}
    (root / "dataset.json").write_text(json.dumps(content))


def _adapted_maps(root: Path) -> None:
    from segda.label_space import load

    classes = list(load("camvid").classes)
    content = {"space": "camvid", "classes": classes, "keys": ["a"], "layout": "segda", "format": "webp"}
    save(root / "images" / "a.webp", pictures(0))
    save(root / "labels" / "a.png", ids(0, (0, 1, 255)))
    (root / "dataset.json").write_text(json.dumps(content))


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
    (_made(root) / "job.yaml").write_text(PIPELINE)


def _load_pipeline(folder: Path) -> None:
    pipeline.load(str(folder / "job.yaml"))


def _data_config(root: Path) -> None:
    config = "name: folder\nroot: set\nsplit: train\nimages: i/{split}\nimage_endings: [.png]\nclasses: {1: road}\n"
    (_made(root) / "data.yaml").write_text(config + "ignore: [0, 9]\nlimit: 3\nexclude: ['a*']\nresize: [8, 8]\n")


def _read_data_config(folder: Path) -> None:
    data_configs.read(str(folder / "data.yaml"), None, None)


def _network() -> Any:
    return linear.build(channels=(3, 4), strides=(1, 8), classes=3)


def _networks(root: Path) -> None:
    weights.save({"head": _network()}, root)


def _read_networks(folder: Path) -> None:
    weights.load({"head": _network()}, folder)


def _foreign(ending: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        import safetensors.torch
        import torch

        state = _network().state_dict()
        if ending == ".pth":
            torch.save(state, _made(root) / "w.pth")
        else:
            safetensors.torch.save_file(state, _made(root) / f"w{ending}")

    return write


def _read_foreign(ending: str) -> Callable[[Path], None]:
    return lambda folder: pretrained.load_pretrained(_network(), str(folder / f"w{ending}"))


def _checkpoint(root: Path) -> None:
    checkpoint.save(root, 3, checkpoint.flatten({"head": _network()}), {"optimizer": [{"lr": 0.1, "betas": [0, 1]}]})


def _read_checkpoint(folder: Path) -> None:
    checkpoint.load_newest(folder)


def _video(ending: str, codec: str) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        path = _made(root) / f"drive{ending}"
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
        Target(f"image{ending}", _folder(ending), (f"images/train/*{ending}",), _looked_at("cityscapes", {
            **OWN, "image_endings": [ending]}))
        for ending in (".png", ".jpg", ".webp", ".bmp", ".tif", ".gif")
    ),
    Target("image16.png", _sixteen_bits, ("images/train/*", "labels/train/*"), _looked_at("cityscapes", OWN)),
    Target("label.png", _folder(".png"), ("labels/train/*",), _looked_at("cityscapes", OWN)),
    Target("colours.png", _folder(".png"), ("labels/train/*",), _looked_at("cityscapes", {
        "name": "folder", "colours": {"road": [1, 1, 1]}, "ignore_colours": [[2, 2, 2]]})),
    Target("gta5", _gta5, ("split.mat", "labels/*"), _looked_at("cityscapes", {
        "name": "gta5", "split_file": "split.mat"})),
    Target("synthia", _synthia, ("GT/LABELS/*",), _looked_at("synthia16", {"name": "synthia"})),
    Target("carla", _carla, ("CameraSeg/*", "CameraRGB/*"), _looked_at("camvid", {"name": "carla"})),
    Target("camvid", _camvid, ("trainannot/*",), _looked_at("camvid", {"name": "camvid"})),
    Target("cityscapes", _cityscapes, ("gtFine/*/*/*",), _looked_at("cityscapes", {"name": "cityscapes"})),
    Target("mnist", _mnist, ("*",), _looked_at("digits", {"name": "mnist"})),
    Target("usps", _usps, ("*.bz2",), _looked_at("digits", {"name": "usps"})),
    Target("usps.h5", _usps_hdf5, ("*.h5",), _looked_at("digits", {"name": "usps"})),
    Target("svhn", _svhn(True), ("*.mat",), _looked_at("digits", {"name": "svhn"})),
    Target("svhn plain", _svhn(False), ("*.mat",), _looked_at("digits", {"name": "svhn"})),
    Target("mnist_m", _mnist_m, ("*.txt",), _looked_at("digits", {"name": "mnist_m"})),
    Target("arrays", _arrays, ("*.npz",), _looked_at("digits", {"name": "arrays"})),
    Target("npy", _npy, ("*.npy",), _looked_at("digits", {
        "name": "arrays", "images": "images.npy", "labels": "labels.npy"})),
    Target("points", _points, ("*.npz",), _looked_at("moons", {"name": "points"})),
    Target("class_folders", _class_folders, ("*/*.jpg",), _looked_at("digits", {"name": "class_folders"})),
    Target("adapted", _adapted, ("*.json",), _looked_at("digits", {"name": "adapted"})),
    Target("adapted maps", _adapted_maps, ("*.json", "*/*"), _looked_at("camvid", {"name": "adapted"})),
    Target("pipeline.yaml", _pipeline, ("*.yaml",), _load_pipeline),
    Target("data.yaml", _data_config, ("*.yaml",), _read_data_config),
    Target("networks", _networks, ("*.safetensors",), _read_networks),
    Target("weights.pth", _foreign(".pth"), ("*.pth",), _read_foreign(".pth")),
    Target("weights.safetensors", _foreign(".safetensors"), ("*.safetensors",), _read_foreign(".safetensors")),
    Target("checkpoint", _checkpoint, ("*/*",), _read_checkpoint),
    Target("run", write_run, ("runs/*.json", "runs/*/*.json", "runs/*/networks/*"), _asked),
    Target("unfinished run", write_run, ("runs/*/*.json", "runs/*/checkpoints/*/*"), _unfinished),
    Target("video.mp4", _video(".mp4", "mp4v"), ("*.mp4",), _read_video(".mp4")),
    Target("video.avi", _video(".avi", "MJPG"), ("*.avi",), _read_video(".avi")),
)  # fmt: skip
