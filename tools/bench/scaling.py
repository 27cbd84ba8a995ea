"""Two processes and one, measured on a CPU; and on paper, from what processes exchange, 8 GPUs and several nodes.

Measured: a supervised and an aligning stage of a small `streets`, through the command line, by two processes of one
thread each and by one process of two, at the same steps of the same samples. Images per second are those between the
first and the last line of the stage's log, so that start-up is left out. On paper: the arithmetic of docs/benchmarks.md
on the bytes and the floating-point operations of a step, counted for every training stage from GTA5 to Cityscapes.
"""

import json
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipelines.definition.schema import TrainingConfig
from pipelines.planning import memory as estimate
from pipelines.planning import meta_step
from segda.engine.peak_memory import DEVICE, MetaPeakMemory
from tools.bench import inputs
from tools.bench.harness import Figure, segda, turns
from tools.bench.inputs import Operations, stage_of, training_stages, write_job

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


class Exchange(NamedTuple):
    """What a stage's processes exchange in a step, and the operations of one sample of each domain."""

    generator: int  # bytes of gradients of encoders, heads and decoders
    discriminator: int  # bytes of gradients
    buffers: int  # bytes of running statistics
    operations: float  # of one sample's forward and backward passes, both players
    batch: int  # samples a step over all processes, as configured


def exchange(memory: estimate.MemoryEstimate, config: TrainingConfig) -> Exchange:
    """Count it from the stage's own networks and a step of its own objective, on tensors that hold nothing."""
    with DEVICE:
        training = memory.assembled(config)
    learned, buffers = {}, 0
    for name, module in training.modules.items():
        parameters = dict(module.named_parameters())
        learned[name] = sum(each.nbytes for each in parameters.values() if each.requires_grad)
        state = module.state_dict()
        buffers += sum(state[key].nbytes for key in state.keys() - parameters if state[key].is_floating_point())
    generator, discriminator = (sum(learned[name] for name in names) for names in training.objective.players())
    with MetaPeakMemory(), Operations() as counted:
        inputs.step(training, meta_step.meta_batch(1, config.crop or (512, 1024)), meta_step.OnMeta())
    return Exchange(generator, discriminator, buffers, counted.total, config.batch)


def on_paper(name: str, stage: str) -> Figure:
    """The megabytes a step, and how 8 GPUs of a node and 32 of four would do with one sample each."""
    counted = exchange(*stage_of(name, stage))
    gradients, compute = counted.generator + counted.discriminator, counted.operations / RATE
    efficiencies = []
    for (link, each), processes in zip(LINKS.items(), (8, 8, 32, 32), strict=True):
        efficiency = 100 * compute / step(compute, gradients, counted.buffers, processes, each)
        efficiencies.append(f"{processes} GPUs over {link}: {efficiency:.0f} %")
    note = (
        f"generators {counted.generator / 1e6:.1f}, discriminators {counted.discriminator / 1e6:.1f}, statistics "
        f"{counted.buffers / 1e6:.2f}; {counted.operations / 1e12:.1f} T operations a sample; efficiency on paper with "
        f"one sample a GPU: {'; '.join(efficiencies)}; as configured, {counted.batch} samples a step: at most "
        f"{counted.batch} GPUs"
    )
    megabytes = (gradients + counted.buffers) / 1e6
    short = name.removeprefix(CONFIGS[0]).lstrip("_") or "main"
    return Figure(f"all-reduce a step, {short}: {stage}", megabytes, "MB", megabytes, note=note)


def job(folder: Path, steps: int) -> str:
    """A supervised and an aligning stage on small drawn streets."""
    rendered = {"name": "gta5", "root": {"from": "streets", "output": "rendered"}}
    camera = {"name": "cityscapes", "root": {"from": "streets", "output": "camera"}}
    small = {"name": "small", "width": 16}
    trained = {"networks": {"encoder": small, "head": small}, "steps": steps, "batch": 8}
    adapting = {"kind": "align", "source": rendered, "target": camera, "init": {"from": "supervised"}, "ema": 0.99}
    stages = {
        "streets": {"kind": "generate", "rendered": 16, "camera_train": 16, "camera_val": 1, "size": [64, 128]},
        "supervised": {"kind": "supervise", "data": rendered, "method": "source_only", **trained},
        "aligned": {"method": "self_training", **adapting, **trained},
    }
    return write_job(folder, stages, cpu=True, workers=0, save_every=10 * steps, log_every=steps // 4)


def rates(steps: int, processes: int) -> dict[str, float]:
    """Images of each domain a second in each kind of stage, by so many processes that share two threads."""
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name, "runs")
        words = ["run", job(Path(name), steps), "--runs", str(runs), "--processes", str(processes)]
        segda(*words, OMP_NUM_THREADS=str(2 // processes), OMP_WAIT_POLICY="PASSIVE")
        speeds = {}
        for kind in ("supervise", "align"):
            (log,) = runs.glob(f"{kind}-*/log.jsonl")
            first, *_, last = map(json.loads, log.read_text(encoding="utf-8").splitlines())
            speeds[kind] = 8 * (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])
        return speeds


def measured(steps: int, rounds: int) -> list[Figure]:
    """Two processes and one in turns, by the medians of the rounds."""
    taken = turns({processes: partial(rates, steps, processes) for processes in (1, 2)}, rounds)
    figures = []
    for kind in ("supervise", "align"):
        one, two = (statistics.median(rate[kind] for rate in each) for each in taken.values())
        what = f"{kind}, small networks at 64x128, batch 8: two processes of one thread"
        figures.append(Figure(what, two, "images/s", two / one, "one of two threads", one))
    return figures


def measure(steps: int = 60, rounds: int = 2) -> list[Figure]:
    """What was measured, then every stage on paper."""
    return [*measured(steps, rounds), *(on_paper(*each) for each in training_stages(CONFIGS))]
