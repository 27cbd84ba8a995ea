"""What `runtime.compile` gains and changes, for the four trainings of `steps`: `python -m tools.bench.compiled`.

Both sides have the same parameters and, for the gradients, make one step on the same batch from the same state of
torch's random numbers, without an update. A deviation is the norm of the difference of a player's whole gradient over
the norm of the gradient that is not compiled. Then both really train, in turns; their first steps, in which the
compiler works, are not counted. Needs a C++ compiler and a machine that does nothing else.
"""

import copy
import statistics
from functools import partial

import torch
from torch import Tensor

from pipelines.planning.meta_step import OnMeta
from segda.batch import Batch
from segda.engine import compile
from segda.engine.session import Local
from segda.engine.state import TrainingState
from segda.objectives import objective as objectives
from tools.bench.harness import Figure, run, seconds, turns
from tools.bench.inputs import noise, stage_of, step
from tools.bench.steps import CASES, Case

WARM_UP = 3
"""Turns that are not measured: compilers work in the first two, optimizers make their states in one."""


def gradients(training: TrainingState, samples: Batch) -> dict[str, Tensor]:
    """Each player's gradient of one step, end to end; parameters stay as they are."""
    torch.manual_seed(0)
    step(training, samples, OnMeta())
    found = {}
    for player, optimizer in training.optimizers().items():
        held = (parameter.grad for group in optimizer.param_groups for parameter in group["params"])
        found[player] = torch.cat([gradient.double().flatten() for gradient in held if gradient is not None])
    return found


def measured(case: Case, rounds: int, size: int) -> Figure:
    """One training, compiled beside not compiled."""
    memory, config = stage_of(case.pipeline, case.stage)
    plain = memory.assembled(config)
    plain.objective.networks.train()
    compiled = copy.deepcopy(plain)
    compile.compile_networks(compiled.modules, but=objectives.differentiated_twice(compiled.objective.terms))
    images = noise(case.batch, (size, size))
    samples = next(images)
    expected, found = gradients(plain, samples), gradients(compiled, samples)
    deviations = ", ".join(
        f"{player} {100 * float((found[player] - gradient).norm() / gradient.norm()):.2g} %"
        for player, gradient in expected.items()
    )
    sides = {
        name: partial(seconds, step, training, samples, Local())
        for name, training in {"compiled": compiled, "plain": plain}.items()
    }
    spent = {name: [each.clock for each in times] for name, times in turns(sides, rounds, WARM_UP).items()}
    ours, theirs = (statistics.median(spent[name]) for name in ("compiled", "plain"))
    ratio = statistics.median(plain / own for own, plain in zip(*spent.values(), strict=True))
    note = f"{torch.get_num_threads()} threads; gradients deviate: {deviations}"
    what = f"{case.title}, {size}x{size}, batch {case.batch}: compiled"
    return Figure(what, 1 / ours, "steps/s", ratio, "not compiled", 1 / theirs, note=note)


def measure(rounds: int = 7, size: int = 128, only: tuple[str, ...] = tuple(CASES)) -> list[Figure]:
    """The figures of the trainings named."""
    return [measured(CASES[name], rounds, size) for name in only]


if __name__ == "__main__":
    run("compiled")
