"""Where `segda evaluate` spends its time, and what predicting class by class and batching windows gain.

The whole command scores 2048x1024 pairs in Cityscapes' layout in a process of its own, seen at 1024x512. Its time is
split by what its main thread waits for; docs/benchmarks.md says what the target is about. A thread decodes and resizes
ahead: of the time spent waiting for it, decoding is as much as reading files took, the rest counts as rest.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.definition.schema import NetworksConfig as Config
from pipelines.networks import build_networks
from segda import label_space
from segda.data.dataset import Dataset
from segda.demo.streets import write as streets
from segda.evaluation import evaluate as engine
from segda.evaluation.test_time_augmentation import Augmentation, probabilities
from segda.metrics.mean_iou import Confusion
from segda.networks.networks import Networks
from segda.tasks import segmentation
from tools.bench.harness import Figure, in_fresh_process, medians, segda
from tools.bench.inputs import Constant, write_job

Size = tuple[int, int]
SIZE, SEEN, WINDOW = (1024, 2048), (512, 1024), (256, 256)
SHARE = 15.0
NETWORKS: dict[str, dict[str, Any]] = {
    "small": {"encoder": {"name": "small", "width": 24}, "head": {"name": "small", "width": 32}},
    "dilated ResNet-34": {"encoder": {"name": "dilated_resnet", "depth": 34}, "head": {"name": "linear"}},
}


def command(networks: dict[str, Any], images: int, size: Size = SIZE, seen: Size = SEEN) -> dict[str, float]:
    """Seconds of the clock of one `segda evaluate`, by what they went to, and `total`; see `inside`."""
    with tempfile.TemporaryDirectory() as name:
        runs, camera = str(Path(name, "runs")), str(Path(name, "camera"))
        streets.write(Path(name), rendered=0, camera_train=0, camera_val=images, size=size, seed=0)
        data = {"name": "cityscapes", "root": camera, "split": "val", "resize": seen}
        stage = {"kind": "supervise", "data": data, "method": "oracle", "networks": networks, "steps": 1, "batch": 2}
        job = write_job(Path(name), {"network": {**stage, "crop": [64, 64]}}, cpu=True, workers=0)
        segda("run", job, "--runs", runs)  # one step, so that there are networks to score
        words = ["evaluate", "job", "--runs", runs, "--data", "cityscapes", "--split", "val", "--cpu", "--json"]
        start = time.time()
        spent = in_fresh_process(inside, [*words, "--root", camera], start)
        total = time.time() - start
    spent["start-up"] += total - sum(spent.values())
    return {**spent, "total": total}


def inside(words: list[str], started: float) -> dict[str, float]:
    """Run a command line in this process: seconds of its main thread by what they went to, from `started` on."""
    spent: defaultdict[str, float] = defaultdict(float)
    first_calls: dict[str, float] = {}

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            first_calls.setdefault(name, time.time())
            start = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent[name] += time.perf_counter() - start

        return call

    def waiting(*args: Any, **options: Any) -> Iterator[Any]:
        return iter(counted("waiting", partial(next, read(*args, **options), None)), None)

    read = engine.read_samples
    engine.read_samples = waiting
    functions = [(engine, "evaluate", "scoring"), (Confusion, "update", "count"), (Dataset, "read", "reading")]
    functions += [(Networks, "encode", "network"), (Networks, "classify", "network")]
    for owner, name, part in functions:
        setattr(owner, name, counted(part, getattr(owner, name)))
    from pipelines.__main__ import main  # imports what is replaced

    with redirect_stdout(StringIO()):
        if main(words) != 0:
            raise RuntimeError(f"{' '.join(words)}: failed")
    decode = min(spent["waiting"], spent["reading"])
    rest = spent["scoring"] - spent["network"] - decode - spent["count"]
    start_up = first_calls["scoring"] - started
    return {"start-up": start_up, "network": spent["network"], "decode": decode, "count": spent["count"], "rest": rest}


def share(spent: dict[str, float]) -> float:
    """Percent of the command, start-up and exit aside, that went to neither network nor decoding nor counting."""
    return 100 * spent["rest"] / (spent["total"] - spent["start-up"])


def split(name: str, images: int) -> Figure:
    """The split of the whole command."""
    spent = command(NETWORKS[name], images)
    each = ", ".join(f"{part} {1000 * spent[part] / images:.0f}" for part in ("network", "decode", "count", "rest"))
    what = f"`segda evaluate`, 2048x1024, {name}: outside network, decode and counting"
    note = f"ms an image: {each}; start-up and exit {spent['start-up']:.1f} s, left out"
    return Figure(what, share(spent), "%", share(spent), bound=SHARE, sense="at most", note=note)


def predictors(size: Size = SIZE, seen: Size = SEEN) -> dict[str, Callable[[], Tensor]]:
    """The most likely class of every pixel from logits of an eighth of `seen`: `[1, *size]`, ours and the plain way."""
    logits = torch.randn(1, 19, seen[0] // 8, seen[1] // 8, generator=torch.Generator().manual_seed(0))
    task, networks = segmentation.build(label_space.load("cityscapes")), Constant(logits)
    image = torch.zeros(1, 3, *seen)
    return {
        "ours": lambda: task.predict(networks, image, size),
        "plain": lambda: functional.interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(dim=1),
    }


def windows(config: dict[str, Any], seen: Size = SEEN, window: Size = WINDOW) -> dict[str, Callable[[], Tensor]]:
    """The probabilities of an image from windows, four in a pass and one by one."""
    task = segmentation.build(label_space.load("cityscapes"))
    networks = build_networks(Config.model_validate(config), {"encoder", "head"}, tied=True, classes=19)
    networks.train(False)
    image = torch.rand(1, 3, *seen, generator=torch.Generator().manual_seed(0)) * 2 - 1

    return {
        side: partial(probabilities, networks, task, image, seen, Augmentation(window=window, window_batch=at_once))
        for side, at_once in (("ours", 4), ("plain", 1))
    }


def compared(what: str, other: str, sides: dict[str, Callable[[], Tensor]], rounds: int, note: str = "") -> Figure:
    """Both sides' milliseconds."""
    with torch.inference_mode():
        times = medians(sides, rounds, warm_up=1)
    ours, plain = 1000 * times["ours"], 1000 * times["plain"]
    return Figure(what, ours, "ms", plain / ours, other, plain, note=note)


def measure(images: int = 6, rounds: int = 5) -> list[Figure]:
    """The split of `images` scored for each network, then classes, then windows in half as many rounds."""
    figures = [split(name, images) for name in NETWORKS]
    what = "class of every pixel of 2048x1024 from 64x128 logits"
    figures.append(compared(what, "upsample all, argmax", predictors(), rounds))
    note = "on a CPU, where one at a time is the default; a GPU takes 2048x1024 pixels at once"
    for name, config in NETWORKS.items():
        what = f"1024x512 in windows of 256x256, {name}: four windows in a pass"
        figures.append(compared(what, "one in a pass", windows(config), max(1, rounds // 2), note))
    return figures
