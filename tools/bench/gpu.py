"""Which settings make a step on a GPU faster, and what memory they take: `python -m tools.bench.gpu`, ten minutes.

Two training steps and a prediction, each once for every setting, on noise that lies on the device. Beside each stands a
plain loop with the same setting: that of `tools.bench.steps`, or `argmax` of upsampled logits. Both take turns of a few
steps; the device is waited for at the end of each turn, so that times are those of processor and device together. Our
training steps are those that are not logged.

A row is measured in a process of its own, which is ended when its share of the time is over; the others get what it
leaves. A side that fails says why in its place, and the others go on. Peak memory is that of one side's tensors.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_map_only

from pipelines.running.provenance import output_of
from segda.batch import Batch
from segda.engine.compile import compile_networks
from segda.engine.diagnostics import Diagnostics
from segda.engine.fit import Schedule, update
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.files import write_whole
from segda.objectives.objective import differentiated_twice
from tools.bench.harness import ROOT, commit, in_fresh_process, machine, number, seconds, with_table
from tools.bench.inputs import noise, stage_of
from tools.bench.steps import CASES, Case, by_hand

PAGE = ROOT / "docs" / "benchmarks_gpu.md"
SECONDS = 600.0
WARM_UP = 4
"""Steps before the first turn: optimizers make their states, libraries choose kernels, networks are compiled."""
STEPS, TURNS = 3, 10
"""Steps of a turn, and turns of each side if there is time for so many."""
RESERVE = 3.0
"""Seconds in which a process hands over what it has measured."""
SIDES = SEGDA, LOOP = "segda", "plain loop"
HEAD = """| step | setting | segda, ms | GiB | fp32 / this | plain loop, ms | GiB | loop / segda | clocks |
|---|---|---:|---:|---:|---:|---:|---:|---|
"""
Step = Callable[[], object]


class Setting(NamedTuple):
    """A row's title, and how both sides compute."""

    title: str
    precision: Literal["no", "bf16"] = "bf16"
    tf32: bool = True
    fused: bool = True  # one kernel updates all parameters
    layout: torch.memory_format = torch.contiguous_format
    graph: bool = False  # the whole step is recorded once and replayed, with what it drew
    compiled: bool = False


SETTINGS = (
    Setting("fp32", precision="no", tf32=False),
    Setting("TF32", precision="no"),
    Setting("bf16"),
    Setting("bf16, optimizer not fused", fused=False),
    Setting("bf16, channels-last", layout=torch.channels_last),
    Setting("bf16, CUDA graph", graph=True),
    Setting("bf16, compiled", compiled=True),
)
"""All but the first need a GPU. The last takes longest to begin, and gets what time the others have left."""


class Work(NamedTuple):
    """What is computed: a step of a training, or the class of every pixel by its networks."""

    name: str
    case: Case
    size: tuple[int, int]
    batch: int
    trains: bool = True


WORKS = (
    Work("translate", CASES["translation"], (256, 256), 4),
    Work("align", CASES["alignment"], (512, 512), 4),
    Work("evaluate", CASES["supervised"], (1024, 2048), 1, trains=False),
)


class Side(NamedTuple):
    """Milliseconds of a step by turn, and the peak in GiB, which is not known on a CPU; or why there are none."""

    milliseconds: Sequence[float] = ()
    peak: float | None = None
    failed: str = ""

    def cells(self) -> tuple[str, str]:
        """Median with the least and the most, and the peak."""
        if self.failed:
            return self.failed.replace("|", "/"), ""
        median, least, most = (number(of(self.milliseconds)) for of in (statistics.median, min, max))
        return f"{median} ({least} to {most})", "" if self.peak is None else number(self.peak)


class Row(NamedTuple):
    """Both sides of a work with a setting, and the clocks right after."""

    work: Work
    setting: Setting
    sides: dict[str, Side]
    clocks: str = ""


def begin(work: Work, setting: Setting, side: str, batch: Batch) -> Step:
    """One side's step, on networks of its own with random parameters."""
    image, case = batch.source.image, work.case
    memory, config = stage_of(case.pipeline, case.stage)
    state = memory.assembled(config)
    for module in state.modules.values():
        module.train(work.trains).to(image.device, memory_format=setting.layout)
    if setting.compiled:
        compile_networks(state.modules, but=differentiated_twice(state.objective.terms))
    half = torch.autocast(image.device.type, torch.bfloat16, enabled=setting.precision == "bf16")
    if not work.trains:
        return torch.inference_mode()(half(predicting(state, side, image, work.size)))
    options = {"fused": setting.fused or None, "capturable": setting.graph}
    if side == SEGDA:
        return training(state, Session(setting.precision, cpu=image.device.type == "cpu"), batch, options)
    losses = {"generator_loss": case.generator_loss, "discriminator_loss": case.discriminator_loss}
    autocast = {name: loss and half(loss) for name, loss in losses.items()}  # and no backward pass
    return partial(by_hand(case._replace(**autocast), config, state.modules, **options), batch)


def training(state: TrainingState, session: Session, batch: Batch, options: dict[str, Any]) -> Step:
    """The step of `fit` when it is not logged."""
    session.prepare(state.modules)
    for optimizer in state.optimizers().values():
        for group in optimizer.param_groups:
            group.update(options)
    diagnostics = Diagnostics(state, session, classes=0)
    diagnostics.begin_step(active=False)

    def step() -> None:
        update(state, repeat(batch), session, Schedule(steps=1), diagnostics)
        state.unlogged_losses.clear()

    return step


def predicting(state: TrainingState, side: str, image: Tensor, size: tuple[int, int]) -> Step:
    """The class of every pixel as `segda evaluate` finds it, or from all logits at full size."""
    networks, predict = state.objective.networks, state.objective.task.predict
    if side == SEGDA:
        return partial(predict, networks, image, size)

    def step() -> Tensor:
        logits = networks.classify(networks.encode(image, "target"))
        return functional.interpolate(logits, size, mode="bilinear", align_corners=False).argmax(dim=1)

    return step


def recorded(step: Step) -> Step:
    """The step as one CUDA graph; those before it are made on a stream of their own, as torch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        turn(step, WARM_UP)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def turn(step: Step, steps: int) -> None:
    """Some steps, to their end."""
    for _ in range(steps):
        step()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def warmed_up(work: Work, setting: Setting, side: str, batch: Batch) -> tuple[Step, Side]:
    """A side's step after the first ones, and the most memory that they took."""
    held, on_gpu = torch.cuda.memory_allocated(), torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    step = begin(work, setting, side, batch)
    step = recorded(step) if setting.graph else step
    turn(step, WARM_UP)
    return step, Side(peak=(torch.cuda.max_memory_allocated() - held) / 2**30 if on_gpu else None)


def moved(tensor: Tensor, setting: Setting) -> Tensor:
    """A batch's tensor where it is needed: positions on the CPU, images in the setting's layout."""
    if tensor.dim() == 1:
        return tensor
    layout = setting.layout if tensor.dim() == 4 else torch.contiguous_format
    return tensor.to("cuda" if torch.cuda.is_available() else "cpu", memory_format=layout)


def measure(work: Work, setting: Setting, deadline: float) -> Row:
    """One turn of both sides, and more that end before `deadline`, a time of `time.time`."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = setting.tf32
    batch = tree_map_only(Tensor, partial(moved, setting=setting), next(noise(work.batch, work.size)))
    steps: dict[str, Step] = {}
    sides: dict[str, Side] = {}
    for side in reversed(SIDES):  # a recording that fails can leave torch's generator unusable, and ours is likelier to
        try:
            steps[side], sides[side] = warmed_up(work, setting, side, batch)
        except Exception as error:  # the other side goes on
            sides[side] = failed(error)
    times: dict[str, list[float]] = {side: [] for side in steps}
    for _ in range(TURNS):
        start = time.time()
        for side, step in steps.items():
            times[side].append(1000 * seconds(turn, step, STEPS).clock / STEPS)
        now = time.time()
        if now + (now - start) > deadline - RESERVE:
            break
    sides |= {side: sides[side]._replace(milliseconds=each) for side, each in times.items()}
    return Row(work, setting, sides, nvidia_smi("clocks.sm", "clocks.mem"))


def rows(works: Sequence[Work], budget: float) -> Iterator[Row]:
    """One row after the other, in `budget` seconds together."""
    end = time.time() + budget
    here = SETTINGS if torch.cuda.is_available() else SETTINGS[:1]
    todo = [(work, setting) for setting in SETTINGS for work in works if work.trains or setting.fused]
    left = sum(setting in here for _, setting in todo)
    for work, setting in todo:
        if setting not in here:
            yield Row(work, setting, dict.fromkeys(SIDES, Side(failed="not on this device")))
            continue
        now = time.time()
        share = (end - now) / left
        left -= 1
        try:
            yield in_fresh_process(measure, work, setting, now + share, limit=share)
        except Exception as error:  # the other rows go on
            yield Row(work, setting, dict.fromkeys(SIDES, failed(error)))


def failed(error: Exception) -> Side:
    """In one line what began it: torch says of a recording that it was broken, and before that by what."""
    first = error.__context__ or error
    return Side(failed=" ".join(f"{type(first).__name__}: {first}".split())[:200])


def nvidia_smi(*fields: str) -> str:
    """What the driver says of the device that is computed on."""
    device = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    query = f"--query-gpu={','.join(fields)}"
    return output_of("nvidia-smi", query, "--format=csv,noheader", f"--id={device}") or "no nvidia-smi"


def quotient(above: Side, below: Side) -> str:
    """Of their medians, if both were measured."""
    if not above.milliseconds or not below.milliseconds:
        return ""
    return number(statistics.median(above.milliseconds) / statistics.median(below.milliseconds))


def line(row: Row, fp32: Side) -> str:
    """A row of the table; `fp32` is segda's side without any setting."""
    ours, theirs = row.sides[SEGDA], row.sides[LOOP]
    gain, ratio = quotient(fp32, ours), quotient(theirs, ours)
    height, width = row.work.size
    what = f"{row.work.name} {height}x{width}, batch {row.work.batch}"
    cells = [what, row.setting.title, *ours.cells(), gain, *theirs.cells(), ratio, row.clocks]
    return f"| {' | '.join(cells)} |\n"


def run(page: Path = PAGE, works: Sequence[Work] = WORKS, budget: float = SECONDS) -> None:
    """Measure all rows into the table of a page, and print them."""
    start, table, fp32 = time.time(), HEAD, dict[str, Side]()
    for row in rows(works, budget):
        text = line(row, fp32.setdefault(row.work.name, row.sides[SEGDA]))
        print(text, end="", flush=True)
        table += text
    fields = ("name", "driver_version", "clocks.max.sm", "clocks.max.mem", "power.limit")
    table += f"\nDevice: {nvidia_smi(*fields)}; CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}.\n"
    table += f"Machine: {machine()}.\n{date.today()}, commit {commit()}, {time.time() - start:.0f} seconds.\n"
    write_whole(page, with_table(page.read_text(encoding="utf-8"), table).encode())


if __name__ == "__main__":
    run()
