"""Where `segda evaluate` spends its time, and what predicting class by class and batching windows gain.

The whole command scores 2048x1024 pairs in Cityscapes' layout in a process of its own, with a small network and with a
dilated ResNet-34, both seeing 1024x512. Its time on the clock is split by what the process waits for: start-up (until
the first image is asked for) and exit, the networks' forward passes, decoding, counting, and all the rest, which the
target is about: resizing, bringing logits to the label's size, the most likely class, copying. A thread decodes and
resizes ahead; of the time that is waited for it, decoding is as much as reading files took, the rest is rest.

Beside it the most likely class of every pixel is asked for as segda does, and by upsampling all logits and `argmax`;
and windows are shown one by one and in batches. The two sides take turns, and must come to the same.

Run:  python -m tools.bench.evaluation [--images 6] [--rounds 5] [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from pipelines.stage import Networks as Config
from pipelines.training import build_networks
from segda import label_space
from segda.data.streets import write as streets
from segda.engine import inference
from segda.networks.networks import Networks
from segda.tasks import segmentation
from tools.bench import figure
from tools.bench.figure import Figure

PART = "evaluation and export"
SIZE, SEEN, WINDOW = (1024, 2048), (512, 1024), (256, 256)
SHARE = 15.0
NETWORKS = {
    "small": {"encoder": {"name": "small", "width": 24}, "head": {"name": "small", "width": 32}},
    "dilated ResNet-34": {"encoder": {"name": "dilated_resnet", "depth": 34}, "head": {"name": "linear"}},
}
NAMED = ("network", "decode", "count")
T = TypeVar("T")


def job(networks: dict[str, Any], camera: Path, seen: tuple[int, int]) -> dict[str, Any]:
    """A pipeline of one stage that trains for one step, so that its networks can be scored."""
    data = {"name": "cityscapes", "root": str(camera), "split": "val", "resize": list(seen)}
    stage = {"kind": "supervise", "data": data, "method": "oracle", "networks": networks, "steps": 1, "crop": [64, 64]}
    runtime = {"cpu": True, "workers": 0}
    task = {"name": "segmentation", "labels": "cityscapes"}
    return {"task": task, "runtime": runtime, "stages": {"network": {**stage, "batch": 2}}}


def command(
    networks: dict[str, Any], images: int, size: tuple[int, int] = SIZE, seen: tuple[int, int] = SEEN
) -> dict[str, float]:
    """Seconds of the clock of one `segda evaluate`, by what they went to, and `total`; see `inside`."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        streets.write(scratch, rendered=0, camera_train=0, camera_val=images, size=size, seed=0)
        (scratch / "job.yaml").write_text(json.dumps(job(networks, scratch / "camera", seen)))
        runs = str(scratch / "runs")
        _python("pipelines", "run", str(scratch / "job.yaml"), "--runs", runs)
        words = ["evaluate", "job", "--runs", runs, "--data", "cityscapes", "--split", "val", "--cpu", "--json"]
        words += ["--root", str(scratch / "camera")]
        start = time.time()
        _python("tools.bench.evaluation", "--inside", str(scratch / "spent.json"), str(start), *words)
        total = time.time() - start
        spent: dict[str, float] = json.loads((scratch / "spent.json").read_text())
    spent["start-up"] += total - sum(spent.values())
    return {**spent, "total": total}


def inside(words: list[str], started: float) -> dict[str, float]:
    """Run a command line in this process; seconds of its main thread by what they went to.

    Args:
        words: of `segda evaluate`.
        started: when the process was asked for, as `time.time()` tells it.

    Returns:
        `start-up`, `network`, `decode`, `count`, `rest`: their sum is the time until the last score.
    """
    from pipelines import evaluate as stage
    from pipelines.__main__ import main as segda
    from segda.data.dataset import Dataset
    from segda.engine import evaluate as engine
    from segda.metrics.confusion import Confusion

    spent: Counter[str] = Counter()

    def timed(name: str, function: Callable[..., T]) -> Callable[..., T]:
        def call(*given: Any, **named: Any) -> T:
            start = time.perf_counter()
            try:
                return function(*given, **named)
            finally:
                spent[name] += time.perf_counter() - start  # type: ignore[assignment]

        return call

    ahead, whole = engine._ahead, engine.evaluate

    def waiting(*given: Any) -> Iterator[Any]:
        following = timed("waiting", ahead(*given).__next__)
        while True:
            try:
                yield following()
            except StopIteration:
                return

    def scoring(*given: Any, **named: Any) -> Any:
        spent["start-up"] = time.time() - started  # type: ignore[assignment]
        return timed("scoring", whole)(*given, **named)

    with (
        mock.patch.object(engine, "_ahead", waiting),
        mock.patch.object(engine, "evaluate", scoring),
        mock.patch.object(stage, "evaluate", scoring, create=True),  # whether it is imported early or late
        mock.patch.object(Networks, "encode", timed("network", Networks.encode)),
        mock.patch.object(Networks, "classify", timed("network", Networks.classify)),
        mock.patch.object(Confusion, "update", timed("count", Confusion.update)),
        mock.patch.object(Dataset, "read", timed("reading", Dataset.read)),
    ):
        if segda(words) != 0:
            raise SystemExit(f"{' '.join(words)}: failed")
    decode = min(spent["waiting"], spent["reading"])
    rest = spent["scoring"] - spent["network"] - decode - spent["count"]
    named = {name: float(spent[name]) for name in ("start-up", "network", "count")}
    return {**named, "decode": float(decode), "rest": float(rest)}


def share(spent: dict[str, float]) -> float:
    """Percent of the command, start-up and exit aside, that went to neither network nor decoding nor counting."""
    return 100 * spent["rest"] / (spent["total"] - spent["start-up"])


def shares(images: int) -> list[Figure]:
    """The split of the whole command, for each network."""
    figures = []
    for name, config in NETWORKS.items():
        spent = command(config, images)
        each = ", ".join(f"{part} {1000 * spent[part] / images:.0f}" for part in (*NAMED, "rest"))
        found = share(spent)
        over = (
            "; bilinear upsampling of 19 classes to 2048x1024 is most of the rest, and this network does little "
            "beside it"
            if found > SHARE
            else ""
        )
        what = f"`segda evaluate`, 2048x1024, {name}: outside network, decode and counting"
        note = f"ms an image: {each}; start-up and exit {spent['start-up']:.1f} s, left out{over}"
        figures.append(Figure(PART, what, found, "%", found, bound=SHARE, sense="at most", note=note))
    return figures


class Known(Networks):
    """Networks whose logits are known, so that only what follows them is timed."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__({}, tied=True)
        self.logits = logits

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        """The image as its only feature."""
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        """The known logits."""
        return self.logits


def predictors(size: tuple[int, int] = SIZE, seen: tuple[int, int] = SEEN) -> dict[str, Callable[[], Tensor]]:
    """The most likely class of every pixel from logits of an eighth of `seen`: `[1, *size]`, ours and the plain way."""
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 19, seen[0] // 8, seen[1] // 8, generator=draws)
    task, image = segmentation.build(label_space.load("cityscapes")), torch.zeros(1, 3, *seen)
    networks = Known(logits)
    return {
        "ours": lambda: task.predict(networks, image, size),
        "plain": lambda: functional.interpolate(logits, size=size, mode="bilinear", align_corners=False).argmax(dim=1),
    }


def windows(
    config: dict[str, Any], seen: tuple[int, int] = SEEN, window: tuple[int, int] = WINDOW, batch: int = 4
) -> dict[str, Callable[[], Tensor]]:
    """The probabilities of an image from windows in batches and one by one."""
    task = segmentation.build(label_space.load("cityscapes"))
    networks = build_networks(Config.model_validate(config), {"encoder", "head"}, tied=True, classes=19)
    networks.train(False)
    image = torch.rand(1, 3, *seen, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def asked(at_once: int) -> Callable[[], Tensor]:
        how = inference.Inference(window=window, window_batch=at_once)
        return lambda: inference.probabilities(networks, task, image, seen, how)

    return {"ours": asked(batch), "plain": asked(1)}


def turns(sides: dict[str, Callable[[], Tensor]], rounds: int) -> dict[str, float]:
    """The median of each side's milliseconds, in turns, after one call of each that is not measured."""
    spent: dict[str, list[float]] = {name: [] for name in sides}
    with torch.inference_mode():
        for turn in range(rounds + 1):
            for name, call in sides.items():
                start = time.perf_counter()
                call()
                if turn:
                    spent[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in spent.items()}


def measure(images: int, rounds: int) -> list[Figure]:
    """All figures."""
    found = turns(predictors(), rounds)
    what = "class of every pixel of 2048x1024 from 64x128 logits"
    ratio = found["plain"] / found["ours"]
    figures = [*shares(images), Figure(PART, what, found["ours"], "ms", ratio, "upsample all, argmax", found["plain"])]
    for name, config in NETWORKS.items():
        found = turns(windows(config), max(1, rounds // 2))
        what = f"1024x512 in windows of 256x256, {name}: four windows in a pass"
        note = "on a CPU, where one at a time is the default; a GPU is given 2048x1024 pixels at once"
        ratio = found["plain"] / found["ours"]
        figures.append(Figure(PART, what, found["ours"], "ms", ratio, "one in a pass", found["plain"], note=note))
    return figures


def _python(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")


def main() -> int:
    """Measure and print."""
    if sys.argv[1:2] == ["--inside"]:
        spent = inside(sys.argv[4:], float(sys.argv[3]))
        Path(sys.argv[2]).write_text(json.dumps(spent))
        return 0
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--images", type=int, default=6, help="pairs that the command scores (6)")
    parser.add_argument("--rounds", type=int, default=5, help="measured calls of either side (5)")
    figure.add_arguments(parser)
    given = parser.parse_args()
    figure.tell(measure(given.images, given.rounds), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
