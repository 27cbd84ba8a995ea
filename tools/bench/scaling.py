"""Two processes beside one, measured on a CPU; and on paper, from what processes exchange, 8 GPUs and several nodes.

Measured: a supervised and an aligning stage of a small `streets`, through the command line, by two processes of one
thread each and by one process of two. Both make the same steps of the same samples. Images per second are those between
the lines of the stage's log that the first and the last checkpoint stand at, so that start-up is left out.

On paper: for every training stage of the pipelines from GTA5 to Cityscapes, the bytes of gradients and of running
statistics that processes exchange in a step are counted from its networks, and the floating-point operations of a step
from its own objective. What limits how far it scales follows from them by the arithmetic of `step`, with the
assumptions of `LINKS` and `RATE`.

Run:  python -m tools.bench.scaling [--steps 60] [--rounds 2] [--json FILE]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from torch.utils.flop_counter import FlopCounterMode

from pipelines import estimate, pipeline
from pipelines.space import Space
from pipelines.stage import TrainingConfig
from segda.engine.imagined import DEVICE, Imagined
from segda.engine.training import Training
from segda.engine.trial import passes
from tools.bench import figure
from tools.bench.figure import Figure

PART = "growth"
CONFIGS = ("gta5_to_cityscapes", "gta5_to_cityscapes_i2i", "gta5_to_cityscapes_i2i_densenet")


class Link(NamedTuple):
    """Bytes per second that a process sends and receives at the same time, and seconds until the first arrives."""

    bandwidth: float
    latency: float


# Assumed, in round numbers of what NCCL reaches: not measured here. A ring crosses the border of a node once in either
# direction, so what the whole node has is what the ring has.
LINKS = {
    "NVLink": Link(200e9, 5e-6),
    "PCIe 4": Link(12e9, 10e-6),
    "InfiniBand, 200 Gbit/s a node": Link(22e9, 10e-6),
    "Ethernet, 25 Gbit/s a node": Link(2.8e9, 50e-6),
}
SHOWN = ((8, "NVLink"), (8, "PCIe 4"), (32, "InfiniBand, 200 Gbit/s a node"), (32, "Ethernet, 25 Gbit/s a node"))
RATE = 1e14  # assumed floating-point operations a second that a step reaches on one GPU in bf16
BACKWARD = 2 / 3  # of a step: twice the operations of forward
BUCKET = 25 * 2**20  # DDP sends gradients in buckets of so many bytes; the last one has nothing left to hide behind


def ring(size: float, processes: int, link: Link) -> float:
    """Seconds of a ring all-reduce: `2 (N - 1)` times a process passes a part of `size / N` bytes on.

    Source: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms".
    """
    if processes == 1 or not size:
        return 0.0
    return 2 * (processes - 1) * (size / processes / link.bandwidth + link.latency)


def step(compute: float, gradients: float, buffers: float, processes: int, link: Link) -> float:
    """Seconds of a step in which every process computes for `compute` seconds.

    Gradients are exchanged while backward goes on, all but the last bucket; running statistics follow it.
    """
    last = min(gradients, BUCKET)
    hidden = max(0.0, ring(gradients, processes, link) - ring(last, processes, link) - BACKWARD * compute)
    return compute + hidden + ring(last, processes, link) + ring(buffers, processes, link)


def efficiency(compute: float, gradients: float, buffers: float, processes: int, link: Link) -> float:
    """How many of `processes` times the samples a second of one come out, in `(0, 1]`."""
    return compute / step(compute, gradients, buffers, processes, link)


class Exchange(NamedTuple):
    """What a stage's processes exchange in a step, and the operations of one sample of each domain.

    Attributes:
        generator: bytes of gradients of encoders, heads and decoders.
        discriminator: bytes of gradients of the discriminators.
        buffers: bytes of running statistics.
        operations: of one sample's forward and backward passes, both players.
        batch: samples a step over all processes, as configured.
    """

    generator: int
    discriminator: int
    buffers: int
    operations: float
    batch: int


class _NoModules(nullcontext[None]):
    """In place of torch's tracker of modules."""

    parents = frozenset({"Global"})


def exchange(config: TrainingConfig, memory: estimate.Memory) -> Exchange:
    """Count it from the stage's own networks and a step of its own objective, on tensors that hold nothing."""
    with DEVICE:
        made: Training = memory.assembled(config)
    sent = [
        sum(
            parameter.numel() * parameter.element_size()
            for name in names for parameter in made.modules[name].parameters() if parameter.requires_grad
        )
        for names in made.objective.players()
    ]  # fmt: skip
    buffers = 0
    for module in made.modules.values():
        learned = {name for name, _ in module.named_parameters()}
        buffers += sum(
            tensor.numel() * tensor.element_size()
            for name, tensor in module.state_dict().items() if name not in learned and tensor.is_floating_point()
        )  # fmt: skip
    crop = config.crop or (512, 1024)
    counted = FlopCounterMode(display=False)
    # Which module an operation belongs to is not asked, and cannot be told under a gradient penalty.
    counted.mod_tracker = _NoModules()  # type: ignore[assignment]
    with Imagined(), counted:
        passes(made, estimate.imagined(1, crop))
    return Exchange(sent[0], sent[1], buffers, counted.get_total_flops(), config.batch)


def exchanges(names: tuple[str, ...] = CONFIGS) -> dict[str, Exchange]:
    """Every distinct training stage of the pipelines: `pipeline: stage` to what it exchanges."""
    found: dict[str, Exchange] = {}
    for name in names:
        loaded = pipeline.load(name)
        memory = estimate.Memory(loaded, Space(loaded, []))
        for stage in loaded.stages.values():
            if isinstance(stage.config, TrainingConfig):
                counted = exchange(stage.config, memory)
                if counted not in found.values():
                    found[f"{name.removeprefix('gta5_to_cityscapes').lstrip('_') or 'main'}: {stage.name}"] = counted
    return found


def on_paper(name: str, counted: Exchange) -> list[Figure]:
    """The megabytes a step, and how 8 GPUs of a node and 32 of four would do with one sample each."""
    gradients = counted.generator + counted.discriminator
    compute = counted.operations / RATE
    megabytes = (gradients + counted.buffers) / 1e6
    scaled = [
        f"{processes} GPUs over {link}: "
        f"{100 * efficiency(compute, gradients, counted.buffers, processes, LINKS[link]):.0f} %"
        for processes, link in SHOWN
    ]
    note = (
        f"generators {counted.generator / 1e6:.1f}, discriminators {counted.discriminator / 1e6:.1f}, statistics "
        f"{counted.buffers / 1e6:.2f}; {counted.operations / 1e12:.1f} T operations a sample; efficiency on paper with "
        f"one sample a GPU: {'; '.join(scaled)}; as configured, {counted.batch} samples a step: at most "
        f"{counted.batch} GPUs"
    )
    return [Figure(PART, f"all-reduce a step, {name}", megabytes, "MB", megabytes, note=note)]


def job(steps: int) -> dict[str, Any]:
    """A supervised and an aligning stage on small drawn streets."""
    rendered = {"name": "gta5", "root": {"from": "streets", "output": "rendered"}}
    camera = {"name": "cityscapes", "root": {"from": "streets", "output": "camera"}}
    networks = {"encoder": {"name": "small", "width": 16}, "head": {"name": "small", "width": 16}}
    trained = {"networks": networks, "steps": steps, "batch": 8}
    return {
        "task": {"name": "segmentation", "labels": "cityscapes"},
        "runtime": {"cpu": True, "workers": 0, "save_every": 10 * steps, "log_every": steps // 4},
        "stages": {
            "streets": {"kind": "generate", "rendered": 16, "camera_train": 16, "camera_val": 1, "size": [64, 128]},
            "supervised": {"kind": "supervise", "data": rendered, "method": "source_only", **trained},
            "aligned": {
                "kind": "align", "source": rendered, "target": camera, "init": {"from": "supervised"},
                "method": "self_training", "ema": 0.99, **trained,
            },
        },
    }  # fmt: skip


def rates(steps: int, processes: int) -> dict[str, float]:
    """Images of each domain a second in each stage, by so many processes that share two threads."""
    threads = str(2 // processes)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryDirectory() as name:
        path, runs = Path(name, "job.yaml"), Path(name, "runs")
        path.write_text(json.dumps(job(steps)))
        words = [sys.executable, "-m", "pipelines", "run", str(path), "--runs", str(runs)]
        words += ["--processes", str(processes)] if processes > 1 else []
        running = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        seen: dict[str, dict[int, float]] = {"supervise": {}, "align": {}}
        while running.poll() is None:
            for kind, times in seen.items():
                for log in runs.glob(f"{kind}-*/log.jsonl"):
                    for line in log.read_text(encoding="utf-8").splitlines():
                        if line.endswith("}"):
                            times.setdefault(json.loads(line)["step"], time.monotonic())
            time.sleep(0.02)
        assert running.stderr is not None
        if running.returncode:
            raise SystemExit(f"{' '.join(words)}: {running.stderr.read().decode()[-2000:]}")
        running.stderr.close()
    found = {}
    for kind, times in seen.items():
        first, last = min(times), max(times)
        found[kind] = 8 * (last - first) / (times[last] - times[first])
    return found


def measured(steps: int, rounds: int) -> list[Figure]:
    """Two processes and one in turns, by the medians of the rounds."""
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(rounds):
        for processes, taken in found.items():
            taken.append(rates(steps, processes))
    figures = []
    for kind in ("supervise", "align"):
        one, two = (statistics.median(rate[kind] for rate in found[processes]) for processes in (1, 2))
        figures.append(Figure(
            PART, f"{kind}, small networks at 64x128, batch 8: two processes of one thread", two, "images/s",
            two / one, "one of two threads", one,
        ))  # fmt: skip
    return figures


def measure(steps: int, rounds: int) -> list[Figure]:
    """All figures."""
    told = measured(steps, rounds)
    for name, counted in exchanges().items():
        told += on_paper(name, counted)
    return told


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="steps of either stage (60)")
    parser.add_argument("--rounds", type=int, default=2, help="how often either runs (2)")
    figure.add_arguments(parser)
    given = parser.parse_args()
    figure.tell(measure(given.steps, given.rounds), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
