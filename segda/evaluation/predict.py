"""Predict images and videos: class indices, and colour maps, overlays and index images as files."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import cv2
import numpy as np
import torch
from torch import Tensor

from segda.batch import Domain
from segda.data.find import OTHER_PICTURES, PICTURES
from segda.data.given_image import GivenImage, pixels_of
from segda.data.pictures import Pictures
from segda.errors import ConfigError, DataError
from segda.evaluation import video
from segda.evaluation.batching import as_decoded, as_input
from segda.evaluation.test_time_augmentation import NO_AUGMENTATION, Augmentation, predict, probabilities
from segda.files import write_whole
from segda.label_space import LabelSpace
from segda.networks.image_network import ImageNetwork
from segda.networks.networks import Networks
from segda.task import Task

Kind = Literal["colour", "overlay", "ids"]
KINDS: tuple[Kind, ...] = ("colour", "overlay", "ids")
"""Palette colours; the image with those laid over it; class indices, 8 bits in one channel."""

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v")
DESCRIPTION = "predictions.json"

_ENDINGS: dict[Kind, str] = {"colour": ".png", "overlay": ".jpg", "ids": ".png"}
_OPACITY = 0.5  # of the colours in an overlay
_QUALITY = 92  # of overlays, which people look at


class Item(NamedTuple):
    """A file to predict; `key` is its path below the folder that was searched, without the ending."""

    key: str
    path: Path

    @property
    def is_video(self) -> bool:
        """Whether it has many frames."""
        return self.path.suffix.lower() in VIDEOS


def find(paths: Iterable[Path], without: Path, say: Callable[[str], None] = lambda line: None) -> list[Item]:
    """Images and videos in files and folders, sorted by key.

    Folders are searched with all below them; hidden files, other endings and the folder `without` are left out, where
    predictions are written. `say` is called with what is left out though it is a picture.

    Raises:
        DataError: a path is missing or of another ending, a folder holds nothing, or two files have one key.
    """
    items: dict[str, Item] = {}
    for path in paths:
        for item in _below(path, without, say) if path.is_dir() else [_single(path)]:
            other = items.get(item.key)
            if other is not None:
                raise DataError(f"{item.path} and {other.path} would be written to the same name; rename one of them")
            items[item.key] = item
    return [items[key] for key in sorted(items)]


@dataclass(frozen=True)
class Predictor:
    """Finished networks that predict the classes of images; `segda.load` returns one.

    Called with an image, or a list of images (`segda.data.given_image.GivenImage`), it predicts what `segda predict`
    writes for them.

    Attributes:
        networks: an encoder and a head in evaluation mode, on `device`.
        task: reads classes from their output.
        resize: height and width of what the networks see; `None` for each image's own.
        augmentation: test-time augmentation.
        device: where the networks are.
        pictures: decodes files as the networks' training data was decoded.
        domain: whose encoder sees the images, where the domains have one each.
    """

    networks: Networks
    task: Task
    resize: tuple[int, int] | None = None
    augmentation: Augmentation = NO_AUGMENTATION
    device: torch.device | str = "cpu"
    pictures: Pictures = Pictures(orientation="apply")
    domain: Domain = "target"

    @property
    def label_space(self) -> LabelSpace:
        """Class names and palette, by class index."""
        return self.task.space

    @property
    def rule(self) -> str:
        """How a prediction is made, as the protocol of a score says it."""
        return self.augmentation.rule(self.task)

    @property
    def is_segmentation(self) -> bool:
        """Whether it predicts a class for each pixel, not one for the image."""
        return self.task.measure == "IoU"

    @cached_property
    def network(self) -> ImageNetwork:
        """Encoder and head as one plain module: RGB `[B, 3, H, W]` in `[0, 1]` to logits `[B, K, H, W]`, or `[B, K]`.

        It normalises by itself. With `network.uint8 = True` it takes uint8 images. It sees images at the size that it
        is given: `resize` and `augmentation` are the predictor's alone.
        """
        return ImageNetwork(self.networks, pixelwise=self.is_segmentation, domain=self.domain)

    @overload
    def __call__(self, image: list[GivenImage]) -> list[Any]: ...

    @overload
    def __call__(self, image: GivenImage) -> Any: ...

    def __call__(self, image: GivenImage | list[GivenImage]) -> Any:
        """Class indices: uint8 `[H, W]` of the image's own size, or an `int` for networks that classify images.

        A list of them for a list of images.

        Raises:
            DataError: a file cannot be read, or an array or tensor is not as `GivenImage` says.
        """
        if isinstance(image, list):
            return [self(each) for each in image]
        pixels = pixels_of(image, self.pictures)
        return self.predict(pixels) if self.is_segmentation else int(self.predict(pixels, ()))

    @torch.inference_mode()
    def probabilities(self, image: GivenImage) -> np.ndarray:
        """The probability of every class: float32 `[K, H, W]` of the image's own size, or `[K]` for one an image.

        Raises:
            DataError: as a call.
        """
        pixels = pixels_of(image, self.pictures)
        size = (int(pixels.shape[0]), int(pixels.shape[1])) if self.is_segmentation else ()
        given = probabilities(self.networks, self.task, self._seen(pixels), size, self.augmentation, self.domain)
        values: np.ndarray = given[0].cpu().numpy()
        return values

    def colour(self, image: GivenImage) -> np.ndarray:
        """The prediction in the colours of the palette, as `segda predict` draws it: uint8 RGB `[H, W, 3]`.

        Raises:
            ConfigError: the networks predict one class an image.
            DataError: as a call.
        """
        self.check_segmentation()
        return self.label_space.colorize(self(image))

    def check_segmentation(self) -> None:
        """Refuse networks that classify images.

        Raises:
            ConfigError: the networks predict one class an image.
        """
        if not self.is_segmentation:
            raise ConfigError("predict: the networks predict one class an image, not one a pixel; name another stage")

    @torch.inference_mode()
    def predict(
        self, image: np.ndarray, size: tuple[int, ...] | None = None, domain: Domain | None = None
    ) -> np.ndarray:
        """Class indices of one image.

        Args:
            image: uint8 RGB `[H, W, 3]`, or float32 in `[-1, 1]`.
            size: of a label: height and width, `()` for one class an image; `None` for the image's own.
            domain: whose encoder sees the image, in place of the predictor's own.

        Returns:
            uint8, of `size`.
        """
        size = (int(image.shape[0]), int(image.shape[1])) if size is None else size
        seen = self._seen(image)
        given = predict(self.networks, self.task, seen, size, self.augmentation, domain or self.domain)
        classes: np.ndarray = given[0].cpu().numpy()
        return classes

    def _seen(self, image: np.ndarray) -> Tensor:
        """Decoded pixels as the networks take them, `[1, 3, H, W]` on the device."""
        prepared = as_input if self.augmentation.window is None else as_decoded
        return prepared(image, self.resize).to(self.device)


def write(
    predictor: Predictor,
    items: Sequence[Item],
    folder: Path,
    kinds: Sequence[Kind] = KINDS,
    progress: Callable[[int], None] = lambda done: None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Predict label maps of the items and write `folder/<kind>/<key>`, each file whole or not at all.

    A video becomes a video of the same rate for each kind, and its class indices a PNG a frame:
    `ids/<key>/000000.png`, ... `progress` is called with the number of images and frames done, `say` with what a user
    should know of a video, or of the first picture.

    Raises:
        ConfigError: the task predicts one class an image.
        DataError: a file cannot be read.
        ArtefactError: a file cannot be written.
    """
    predictor.check_segmentation()
    reading = predictor.pictures.described()
    film = next((item.path for item in items if item.is_video and reading), None)
    if film is not None:
        raise DataError(f"{film}: a video, but the networks were trained on pictures read by {reading}; give pictures")
    first = next((item.path for item in items if not item.is_video), None)
    doubt = None if first is None else predictor.pictures.doubt(first)
    if doubt is not None:
        say(f"warning: {doubt}")
    done = 0
    for item in items:
        if item.is_video:
            for _ in _write_video(predictor, item, folder, kinds, say):
                done += 1
                progress(done)
            continue
        image = predictor.pictures(item.path)
        classes = predictor.predict(image)
        for kind in kinds:
            pixels = drawn(kind, image, classes, predictor.task.space)
            path = folder / kind / f"{item.key}{_ENDINGS[kind]}"
            write_whole(path, _encoded(pixels, _ENDINGS[kind]), durable=False)
        done += 1
        progress(done)


def _write_video(
    predictor: Predictor, item: Item, folder: Path, kinds: Sequence[Kind], say: Callable[[str], None]
) -> Iterator[None]:
    """Write the files of a video frame by frame."""
    expected, rate = video.describe(item.path)
    number = 0
    with ExitStack() as files:
        opened = {
            kind: files.enter_context(video.VideoFile(folder / kind / f"{item.key}.mp4", rate))
            for kind in kinds if kind != "ids"
        }  # fmt: skip
        for number, (pixels, seconds) in enumerate(video.frames(item.path), 1):
            classes = predictor.predict(pixels)
            for kind, file in opened.items():
                file.add(video.Frame(drawn(kind, pixels, classes, predictor.task.space), seconds))
            if "ids" in kinds:
                path = folder / "ids" / item.key / f"{number - 1:06d}.png"
                write_whole(path, _encoded(classes, ".png"), durable=False)
            yield
    if number < expected - 1 - expected // 50:  # some formats give the number about
        say(f"{item.path}: ends after {number} frames, of {expected} by its head; if it is cut off, fetch it again")


def drawn(kind: Kind, image: np.ndarray, classes: np.ndarray, space: LabelSpace) -> np.ndarray:
    """One kind of image of a prediction: uint8 RGB `[H, W, 3]`, or for `ids` uint8 `[H, W]`."""
    if kind == "ids":
        return classes
    colours = space.colorize(classes)
    return colours if kind == "colour" else cv2.addWeighted(image, 1 - _OPACITY, colours, _OPACITY, 0, dst=colours)


def describe(folder: Path, space: LabelSpace, origin: dict[str, str]) -> None:
    """Write `predictions.json`: what indices and colours mean, and which networks predicted."""
    classes = [
        {
            "index": index,
            "name": name,
            "colour": list(colour),
            **({"thing": name in space.things} if space.things else {}),
        }
        for index, (name, colour) in enumerate(zip(space.classes, space.palette, strict=True))
    ]
    content = {"label_space": space.name, "classes": classes, **origin}
    write_whole(folder / DESCRIPTION, (json.dumps(content, indent=1) + "\n").encode())


def _below(top: Path, without: Path, say: Callable[[str], None]) -> list[Item]:
    items, others = [], []
    for parent, folders, names in os.walk(top, followlinks=True):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and Path(parent, name).resolve() != without.resolve()
        )
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix.lower() in PICTURES + VIDEOS and not name.startswith("."):
                items.append(Item(path.relative_to(top).with_suffix("").as_posix(), path))
            elif path.suffix.lower() in OTHER_PICTURES and not name.startswith("."):
                others.append(path)
    if others:
        say(f"{top}: {len(others)} pictures of a kind that is not read are left out, such as {others[0].name}")
    if not items:
        raise DataError(f"{top}: no image or video in it; expected files that end in {', '.join(PICTURES + VIDEOS)}")
    return items


def _single(path: Path) -> Item:
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    if path.suffix.lower() not in PICTURES + VIDEOS:
        raise DataError(f"{path}: neither image nor video; expected an ending of {', '.join(PICTURES + VIDEOS)}")
    return Item(path.stem, path)


def _encoded(pixels: np.ndarray, ending: str) -> bytes:
    """An image as the bytes of a file: uint8 RGB `[H, W, 3]` or one channel `[H, W]`."""
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if ending == ".jpg" else []
    return cv2.imencode(ending, stored, options)[1].tobytes()
