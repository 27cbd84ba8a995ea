"""How fast training samples come from packs, what a label costs beside its image, and how busy packing keeps the cores.

Scenes of 1914x1052 pixels with palette labels are drawn in GTA5's layout, resized to 526x957 and cropped to 256x512.

* Samples: batches of segda's loader from a pack, beside a plain data set that decodes with OpenCV (the label with PIL,
  since OpenCV would turn its palette into colours), looks its ids up, and resizes, crops and flips with albumentations
  in torch's own loader; as many workers on either side, which take turns. Files and packs are in the page cache. That
  a pack's pixels are those of the files is checked first, all of them.
* Labels: decoding, looking up and resizing a label beside decoding its image, in one thread.
* Packing: seconds of all cores to those of the clock, and images a second.
* Waiting: the share that a short training logs, from packs.

Run:  python -m tools.bench.data [--images 6] [--rounds 5] [--workers 1] [--folder GTA5] [--json FILE]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
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

from pipelines import pipeline as pipelines
from pipelines.execution import run_pipeline
from segda import label_space
from segda.artefacts.store import Store
from segda.data import cores, pack, packed
from segda.data.dataset import Dataset
from segda.data.loader import batches
from segda.data.readers import gta5
from segda.data.streets import write as streets
from segda.data.transforms import TrainTransform, resize_image, resize_label
from segda.engine.session import Session
from segda.engine.waiting import NOTABLE
from tools.bench import figure
from tools.bench.figure import Figure

SIZE, RESIZE, CROP = (1052, 1914), (526, 957), (256, 512)
BATCH = 4
TIMES = 20

JOB = """
task: {{name: segmentation, labels: cityscapes}}
runtime: {{cpu: true, log_every: 5, pack: true}}
stages:
  source:
    kind: supervise
    data: {{name: gta5, root: {root}, resize: {resize}}}
    method: source_only
    networks: {{encoder: {{name: small, width: 8}}, head: {{name: small, width: 8}}}}
    steps: {steps}
    batch: 2
    crop: {crop}
"""


class Plain(TorchDataset[tuple[Tensor, Tensor]]):
    """What one would write without packs: decode, resize, crop, flip."""

    def __init__(self, dataset: Dataset, length: int) -> None:
        self.files = [(str(sample.image), str(sample.label)) for sample in dataset.samples]
        self.length = length
        self.table = np.full(256, 255, np.uint8)
        found = dataset.decode_label.table  # type: ignore[attr-defined]
        self.table[found >= 0] = found[found >= 0]
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
    return iter(DataLoader(data, BATCH, num_workers=workers, worker_init_fn=_one_thread if workers else None))


def equal_pixels(files: Dataset, mapped: Dataset) -> bool:
    """Whether a pack holds what resizing the decoded files gives: ours, and those of the plain loop."""
    plain = Plain(files, len(files))
    resize = albumentations.Compose([plain.compose.transforms[0]])
    for place in range(len(files)):
        (image, label), (entry, classes) = files.read(place), mapped.read(place)
        assert label is not None
        assert classes is not None
        decoded = plain.decoded(place)
        done = resize(image=decoded[0], mask=decoded[1])
        pairs = [(resize_image(image, RESIZE), entry), (resize_label(label, RESIZE), classes),
                 (done["image"], entry), (done["mask"], classes)]  # fmt: skip
        if not all(np.array_equal(*pair) for pair in pairs):
            return False
    return True


def samples(files: Dataset, mapped: Dataset, workers: int, rounds: int) -> Figure:
    """Samples a second from packs, beside the plain loop."""
    # So many that either side takes about as long; the first batches start the workers and are not timed.
    few = max(2 * len(files) // BATCH, 6)
    many = 30 * few
    rates: dict[str, list[float]] = {"plain": [], "pack": []}
    for _ in range(rounds):
        stream = theirs(files, workers, few + 1 + 2 * workers)
        rates["plain"].append(_rate(stream, few, 1 + 2 * workers))
        rates["pack"].append(_rate(ours(mapped, workers), many, 1 + 2 * workers))
    pack_rate, plain_rate = statistics.median(rates["pack"]), statistics.median(rates["plain"])
    return Figure(
        "data", f"crops of 256x512 from packs of 526x957, {workers} workers", pack_rate, "samples/s",
        pack_rate / plain_rate, "decode, resize, crop with OpenCV and albumentations", plain_rate, TIMES,
        note="files and pack in the page cache, pixels equal",
    )  # fmt: skip


def labels(files: Dataset, rounds: int) -> Figure:
    """A label's decoding and resizing beside its image's decoding, in milliseconds."""
    pairs = [sample for sample in files.samples if sample.label is not None]
    times: dict[str, list[float]] = {"image": [], "label": []}
    for sample in pairs * rounds:
        assert sample.label is not None
        times["image"].append(_seconds(lambda file=sample.image: files.decode_image(file)))  # type: ignore[misc]
        times["label"].append(
            _seconds(lambda file=sample.label: resize_label(files.decode_label(file), RESIZE))  # type: ignore[misc]
        )
    image, label = (1000 * statistics.median(times[each]) for each in ("image", "label"))
    return Figure(
        "data", "a 1914x1052 label decoded, looked up and resized, without packs", label, "ms", label / image,
        "its image decoded", image, 1.0, "at most",
    )  # fmt: skip


def packing(files: Dataset, folder: Path, times: int) -> list[Figure]:
    """How busy packing keeps the cores, and images a second; each file is packed so many times."""
    files = replace(files, samples=files.samples * times)
    workers = cores.available()
    clock, busy = time.perf_counter(), time.process_time()
    pack.write(files, RESIZE, folder, {"key": "bench"}, workers=workers)
    clock, busy = time.perf_counter() - clock, time.process_time() - busy
    return [
        Figure(
            "data", f"cores busy while {len(files)} images of 1914x1052 are packed", busy / clock, "cores",
            busy / clock / workers, bound=0.9, note=f"the value is the share of {workers} cores",
        ),
        Figure("data", "packing 1914x1052 to 526x957", len(files) / clock, "images/s", len(files) / clock),
    ]  # fmt: skip


def waiting(root: Path, folder: Path, steps: int) -> Figure:
    """The share that a short training spends waiting for data from packs; its first line starts the workers."""
    job = folder / "job.yaml"
    job.write_text(JOB.format(root=root, resize=list(RESIZE), crop=list(CROP), steps=steps))
    run_pipeline(pipelines.load(str(job)), Store(folder / "runs"), Session(cpu=True))
    lines = next((folder / "runs").glob("supervise-*/log.jsonl")).read_text().splitlines()
    shares = [json.loads(line)["waiting"] for line in lines]
    share = statistics.mean(shares[1:] or shares)
    return Figure(
        "data", "share of a small training that waits for data, from packs", share, "of its time", share,
        bound=NOTABLE, sense="at most", note="after the first log line, which starts the workers",
    )  # fmt: skip


def measure(root: Path, scratch: Path, *, rounds: int, workers: int, steps: int = 20) -> list[Figure]:
    """All figures of a set in GTA5's layout.

    Raises:
        AssertionError: a pack's pixels are not those of the files.
    """
    files = gta5.build(root, label_space.load("cityscapes"))
    made = packing(files, scratch / "many", times=20)
    pack.write(files, RESIZE, scratch / "pack", {"key": "bench"}, workers=cores.available())
    mapped = packed.open_pack(scratch / "pack", files)
    assert equal_pixels(files, mapped)
    return [samples(files, mapped, workers, rounds), labels(files, rounds), *made, waiting(root, scratch, steps)]


def _rate(stream: Iterator[Any], number: int, warm: int) -> float:
    for _ in islice(stream, warm):
        pass
    began = time.perf_counter()
    made = sum(1 for _ in islice(stream, number))
    return made * BATCH / (time.perf_counter() - began)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--images", type=int, default=6, help="scenes to draw (6)")
    parser.add_argument("--rounds", type=int, default=5, help="how often either side is timed (5)")
    parser.add_argument("--workers", type=int, default=1, help="loading processes of either side (1)")
    parser.add_argument("--folder", type=Path, help="a folder in GTA5's layout, in place of drawn scenes")
    figure.add_arguments(parser)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        root = given.folder
        if root is None:
            streets.write(Path(name), rendered=given.images, camera_train=0, camera_val=0, size=SIZE, seed=0)
            root = Path(name) / "rendered"
        found = measure(root.absolute(), Path(name), rounds=given.rounds, workers=given.workers)
    figure.tell(found, given)


if __name__ == "__main__":
    main()
