"""What segda's training samples and steps cost, beside mmsegmentation's and torchvision's own code.

The peers are installed in an environment of their own, in a temporary folder (a few minutes, 2 GB; from the package
index), with the torch, NumPy and OpenCV of this one. Each side has one thread and a process of its own; the sides take
turns, and seconds are those of the processor.

* Samples: files of 1914x1052 pixels with palette labels, as from GTA5, to normalised crops of 512x512: resized to
  720x1280 times a random factor of 0.5 to 2, cropped, mirrored. mmsegmentation by its transforms and its data
  preprocessor, torchvision by its transforms in the order of its reference script for segmentation, which resamples the
  whole image.
* Step: DeepLabV3 on a ResNet-50 of output stride 8, batch 2 of 256x256, SGD: torchvision's network in the loop of its
  reference script, smp's network in `segda.engine.fit.update`.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path

import cv2
import torch

from segda import label_space
from segda.data.augmentation.crop import TrainTransform
from segda.data.loader import to_tensor
from segda.data.readers import gta5
from segda.engine.session import Local
from tools.bench.harness import ROOT, Figure, seconds, turns
from tools.bench.inputs import noise, scenes, stage_of, step

SHARED = ("numpy", "opencv-python-headless", "torch", "torchvision")
PEERS = ("mmsegmentation==1.2.2", "mmcv-lite==2.1.0", "mmengine==0.10.7", "ftfy", "regex", "setuptools<81")
LEAST = 1.1
RESIZE, CROP, SCALE = (720, 1280), (512, 512), (0.5, 2.0)


@contextmanager
def peer(python: str, side: str, root: Path) -> Iterator[Callable[[int], float]]:
    """A process of a peer's, which makes so many samples or steps of one side when called; seconds of the processor.

    Raises:
        RuntimeError: the process ended.
    """
    command = [python, "-m", "tools.bench.peer_side", side, str(root)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def work(number: int) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            print(number, file=process.stdin, flush=True)
            answer = process.stdout.readline()
            if not answer:
                raise RuntimeError(f"{side}: the peer's process ended with {process.wait()}")
            return float(json.loads(answer)) / number

        yield work
        process.stdin.close()


def environment(folder: Path) -> str:
    """Install the peers; the interpreter that has them."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    shared = [f"{name}=={version(name).partition('+')[0]}" for name in SHARED]  # of torch any build
    subprocess.run([python, "-m", "pip", "install", "--quiet", *shared, *PEERS], check=True)
    return python


def samples(root: Path) -> Callable[[int], float]:
    """Our side of the samples."""
    files = gta5.build(root, label_space.load("cityscapes"))
    transform, position = TrainTransform(resize=RESIZE, crop=CROP, scale=SCALE, seed=1), count()

    def work(number: int) -> float:
        def make() -> None:
            for _ in range(number):
                place = next(position)
                image, label = transform(*files.read(place % len(files)), place)
                assert label is not None
                to_tensor(image), torch.from_numpy(label).long()

        return seconds(make).cores / number

    return work


def steps() -> Callable[[int], float]:
    """Our side of the step: torchvision's reference trains by SGD, rate 0.01, momentum 0.9, decay 1e-4."""
    encoder = "{name: smp, encoder: resnet50, output_stride: 8, weights: null}"
    memory, config = stage_of(
        "gta5_to_cityscapes", "source", f"stages.source.networks.encoder={encoder}",
        "stages.source.networks.head={name: smp, decoder: deeplabv3}",
        "stages.source.optimizer={name: sgd, learning_rate: 0.01, momentum: 0.9, weight_decay: 0.0001}",
    )  # fmt: skip
    training, stream = memory.assembled(config), noise(2, (256, 256))
    training.objective.networks.train()

    def work(number: int) -> float:
        return (
            seconds(lambda: [step(training, next(stream), Local(), logged=False) for _ in range(number)]).cores / number
        )

    return work


def measure(rounds: int = 7, images: int = 6, python: str | None = None) -> list[Figure]:
    """Samples beside both peers, a step beside torchvision's; `python` has the peers already."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        root = scenes(Path(name), images)
        python = python or environment(Path(name) / "environment")
        rows = (
            ("mmsegmentation", "a crop of 512x512 from files of 1914x1052", samples(root), 2 * images),
            ("torchvision", "a crop of 512x512 from files of 1914x1052", samples(root), 2 * images),
            ("torchvision_step", "a step of DeepLabV3-ResNet-50, 256x256, batch 2", steps(), 1),
        )
        for side, what, ours, number in rows:
            with peer(python, side, root) as theirs:
                found = turns({"ours": lambda: ours(number), "theirs": lambda: theirs(number)}, rounds, warm_up=1)  # noqa: B023
            mine, other = (1000 * statistics.median(found[each]) for each in ("ours", "theirs"))
            ratio = statistics.median(b / a for a, b in zip(found["ours"], found["theirs"], strict=True))
            title = side.removesuffix("_step")
            note = "milliseconds of one thread of the processor"
            figures.append(Figure(what, mine, "ms", ratio, title, other, LEAST if number > 1 else 1.0, note=note))
    return figures


if __name__ == "__main__":  # with an interpreter that has the peers: python -m tools.bench.peers PYTHON
    for figure in measure(python=sys.argv[1]):
        print(" | ".join(figure.cells()))
