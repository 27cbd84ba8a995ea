"""How fast training samples come from packs, what a label costs next to its image, and how busy packing keeps cores.

Scenes of 1914x1052 pixels with palette labels are drawn in GTA5's layout, resized to 526x957 and cropped to 256x512.

* Samples: batches of segda's loader from a pack, and those of a plain data set that decodes with OpenCV (the label with
  PIL, since OpenCV would turn its palette into colours), and resizes, crops and flips with albumentations in torch's
  own loader; with as many workers. Files and packs are in the page cache, and their pixels are compared first.
* Crops of 512x512 with a random scale, in one thread: of decoded pairs, beside albumentations' resizing, scaling and
  cropping of the whole; and of pairs of 720x1280 from a pack, as tensors in [-1, 1].
* Labels: decoding, looking up and resizing a label, and decoding its image, in one thread.
* Packing: seconds of all cores to those of the clock, and images a second.
* Waiting: the share that a short training logs, from packs.
"""

import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import albumentations
import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda import label_space
from segda.artefacts.store import Store
from segda.data import workers as cores
from segda.data.augmentation.crop import TrainTransform
from segda.data.dataset import Dataset
from segda.data.loader import batches, to_tensor
from segda.data.pack import reader, writer
from segda.data.readers import gta5
from segda.data.resize import resize_image, resize_label
from segda.engine.log import NOTABLE_WAIT
from segda.engine.session import Session
from tools.bench.harness import Figure, seconds, turns
from tools.bench.inputs import scenes, write_job

RESIZE, CROP, BATCH = (526, 957), (256, 512), 4


class Plain(TorchDataset[tuple[Tensor, Tensor]]):
    """What one would write without packs: decode, resize, crop, flip."""

    def __init__(self, dataset: Dataset, length: int) -> None:
        self.files = [(str(sample.image), str(sample.label)) for sample in dataset.samples]
        self.length = length
        table = dataset.decode_label.table  # type: ignore[attr-defined]
        self.table = np.where(table >= 0, table, 255).astype(np.uint8)
        self.compose = albumentations.Compose([
            albumentations.Resize(*RESIZE, interpolation=cv2.INTER_AREA, mask_interpolation=cv2.INTER_NEAREST_EXACT),
            albumentations.RandomCrop(*CROP),
            albumentations.HorizontalFlip(),
        ])  # fmt: skip

    def __len__(self) -> int:
        return self.length

    def decoded(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """RGB and class indices of one pair of files."""
        image, label = self.files[index % len(self.files)]
        pixels = cv2.imread(image, cv2.IMREAD_COLOR)
        assert pixels is not None
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), self.table[np.asarray(Image.open(label))]

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = self.decoded(index)
        done = self.compose(image=image, mask=label)
        pixels = torch.from_numpy(done["image"]).permute(2, 0, 1).float() / 127.5 - 1
        return pixels, torch.from_numpy(done["mask"]).long()


def ours(dataset: Dataset, workers: int) -> Iterator[Any]:
    """Segda's batches, for ever."""
    transform = TrainTransform(resize=RESIZE, crop=CROP, seed=1)
    return batches(dataset, None, transforms=(transform, None), batch=BATCH, seed=0, workers=workers)


def theirs(dataset: Dataset, workers: int, number: int) -> Iterator[Any]:
    """The plain loop's batches, so many."""
    data = Plain(dataset, number * BATCH)
    return iter(DataLoader(data, BATCH, num_workers=workers))


def equal_pixels(files: Dataset, mapped: Dataset) -> bool:
    """Whether a pack holds what resizing the decoded files gives: ours, and those of the plain loop."""
    plain = Plain(files, len(files))
    resize = albumentations.Compose([plain.compose.transforms[0]])
    for index in range(len(files)):
        (image, label), packed_pair, decoded = files.read(index), mapped.read(index), plain.decoded(index)
        assert label is not None
        done = resize(image=decoded[0], mask=decoded[1])
        for pair in ((resize_image(image, RESIZE), resize_label(label, RESIZE)), (done["image"], done["mask"])):
            if not all(np.array_equal(*both) for both in zip(pair, packed_pair, strict=True)):  # type: ignore[arg-type]
                return False
    return True


def samples(files: Dataset, mapped: Dataset, workers: int, rounds: int) -> Figure:
    """Samples a second from packs, and from the plain loop."""
    # So many that either side takes about as long; the first batches start the workers and are not timed.
    few, warm_up = max(2 * len(files) // BATCH, 6), 1 + 2 * workers

    def rate(stream: Iterator[Any], number: int) -> float:
        list(islice(stream, warm_up))
        return number * BATCH / seconds(lambda: sum(1 for _ in islice(stream, number))).clock

    sides = {
        "plain": lambda: rate(theirs(files, workers, few + warm_up), few),
        "pack": lambda: rate(ours(mapped, workers), 30 * few),
    }
    rates = {side: statistics.median(each) for side, each in turns(sides, rounds).items()}
    return Figure(
        f"crops of 256x512 from packs of 526x957, {workers} workers", rates["pack"], "samples/s",
        rates["pack"] / rates["plain"], "decode, resize, crop with OpenCV and albumentations", rates["plain"], 20,
        note="files and pack in the page cache, pixels equal",
    )  # fmt: skip


def crops(files: Dataset, rounds: int) -> list[Figure]:
    """Milliseconds of a core for a crop with a random scale."""
    resize, side, scale = (720, 1280), 512, (0.5, 2.0)
    transform = TrainTransform(resize=resize, crop=(side, side), scale=scale)
    whole = albumentations.Compose([
        albumentations.Resize(*resize, interpolation=cv2.INTER_AREA, mask_interpolation=cv2.INTER_NEAREST_EXACT),
        albumentations.RandomScale((scale[0] - 1, scale[1] - 1), p=1),
        albumentations.RandomCrop(side, side, pad_if_needed=True),
        albumentations.HorizontalFlip(),
    ])  # fmt: skip
    image, label = files.read(0)
    assert label is not None
    small, small_label = resize_image(image, resize), resize_label(label, resize)

    def as_tensors(position: int) -> None:
        seen, ids = transform(small, small_label, position)
        assert ids is not None
        to_tensor(seen), torch.from_numpy(ids).long()

    times: dict[str, list[float]] = {"view": [], "whole": [], "pack": []}
    for position in range(20 * rounds):
        times["view"].append(seconds(transform, image, label, position).cores)
        times["whole"].append(seconds(whole, image=image, mask=label).cores)
        times["pack"].append(seconds(as_tensors, position).cores)
    view, other, pack = (1000 * statistics.median(each) for each in times.values())
    what = "a crop of 512x512 of a decoded pair of 1914x1052, resized to 1280x720 and scaled by 0.5 to 2"
    return [
        Figure(what, view, "ms of a core", other / view, "all of the pair, by albumentations", other, 1.1),
        Figure("such a crop of a packed pair of 1280x720, as tensors", pack, "ms", pack, bound=4, sense="at most"),
    ]


def labels(files: Dataset, rounds: int) -> Figure:
    """A label's decoding and resizing, and its image's decoding, in milliseconds."""

    def resized(file: Path) -> None:
        resize_label(files.decode_label(file), RESIZE)

    times = [
        (seconds(files.decode_image, sample.image).clock, seconds(resized, sample.label).clock)
        for sample in files.samples * rounds
    ]
    image, both = (1000 * statistics.median(each) for each in zip(*times, strict=True))
    what = "a 1914x1052 label decoded, looked up and resized, without packs"
    return Figure(what, both, "ms", both / image, "its image decoded", image, 1.0, "at most")


def packing(files: Dataset, folder: Path, times: int) -> list[Figure]:
    """How busy packing keeps the cores, and images a second; each file is packed so many times."""
    files, workers = replace(files, samples=files.samples * times), cores.available()
    taken = seconds(writer.write, files, RESIZE, folder, {"key": "bench"}, workers=workers)
    busy, rate = taken.cores / taken.clock, len(files) / taken.clock
    what = f"cores busy while {len(files)} images of 1914x1052 are packed"
    return [
        Figure(what, busy, "cores", busy / workers, bound=0.9, note=f"the value is the share of {workers} cores"),
        Figure("packing 1914x1052 to 526x957", rate, "images/s", rate),
    ]


def waiting(root: Path, folder: Path, steps: int) -> Figure:
    """The share that a short training spends waiting for data from packs; its first line starts the workers."""
    small = {"name": "small", "width": 8}
    data = {"name": "gta5", "root": str(root), "resize": RESIZE}
    stage = {"kind": "supervise", "data": data, "method": "source_only", "steps": steps, "batch": 2, "crop": CROP}
    stages = {"source": {**stage, "networks": {"encoder": small, "head": small}}}
    job = write_job(folder, stages, cpu=True, log_every=5, pack=True)
    run_pipeline(pipelines.load(job), Store(folder / "runs"), Session(cpu=True))
    lines = next((folder / "runs").glob("supervise-*/log.jsonl")).read_text().splitlines()
    shares = [json.loads(line)["waiting"] for line in lines]
    share = statistics.mean(shares[1:] or shares)
    what, note = "share of a small training that waits for data, from packs", "after the line that starts the workers"
    return Figure(what, share, "of its time", share, bound=NOTABLE_WAIT, sense="at most", note=note)


def measure(
    images: int = 6, rounds: int = 5, workers: int = 1, steps: int = 20, folder: Path | None = None
) -> list[Figure]:
    """Samples, labels, packing, waiting; `folder` is in GTA5's layout, in place of drawn scenes."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        root = (folder or scenes(scratch, images)).absolute()
        files = gta5.build(root, label_space.load("cityscapes"))
        packed_figures = packing(files, scratch / "many", times=20)
        writer.write(files, RESIZE, scratch / "pack", {"key": "bench"}, workers=cores.available())
        mapped = reader.open_pack(scratch / "pack", files)
        assert equal_pixels(files, mapped)
        first = [samples(files, mapped, workers, rounds), *crops(files, rounds), labels(files, rounds)]
        return [*first, *packed_figures, waiting(root, scratch, steps)]
