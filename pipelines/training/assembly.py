"""Build all that a training stage changes: networks, objective, optimizers, moving average."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from torch import Tensor

from pipelines.definition.schema import MethodConfig, TrainingConfig
from pipelines.networks import build_networks, build_task, initialise
from segda.engine import activation_checkpointing, adabn, compile, optimizers
from segda.engine.ema import MovingAverage
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.networks.networks import Networks
from segda.objectives import objective as objectives
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.objective import Objective

Gather = Callable[[Tensor], Tensor]


def assemble(
    config: TrainingConfig,
    method: MethodConfig,
    init: Path | None,
    published: tuple[str, ...],
    session: Session,
    teacher_statistics: Literal["running", "batch"],
    judge: Networks | None,
    prepare: Callable[[Networks], Networks] | None,
    sizes: ClassSizes | None,
    gather: Gather,
    gather_samples: Gather | None,
) -> TrainingState:
    """Networks as the seed draws them, or as `init` left them, with the method's terms and the optimizers."""
    task = build_task(config.task)
    terms = objectives.build(method.terms)
    needs = objectives.needs(terms, method.frozen)
    networks = build_networks(config.networks, needs, tied=method.tied, classes=task.space.count, seed=config.seed)
    if init is not None:
        initialise(networks, init, session)
    networks.freeze(method.frozen)
    modules = dict(networks.modules)
    for built in modules.values():
        built.to(session.device)
    if prepare is not None:
        networks = prepare(networks)
    if judge is not None:
        for built in judge.modules.values():
            built.requires_grad_(False)

    followed = {name: built for name, built in modules.items() if name.split(".")[0] in published}
    average = MovingAverage(followed, config.ema) if config.ema else None
    teacher = Networks(average.modules, tied=method.tied) if average and "teacher" in needs else None
    if teacher is not None and teacher_statistics == "batch":
        adabn.normalise_by_batch(teacher.modules)
    if config.runtime.recompute:
        judging = {f"judge.{name}": built for name, built in judge.modules.items()} if judge is not None else {}
        activation_checkpointing.apply({**modules, **judging}, gather_samples)

    if config.runtime.compile:
        for each in (networks, teacher, judge):
            if each is not None:
                compile.compile_networks(each.modules, but=objectives.differentiated_twice(terms))
    networks.modules = session.prepare(modules)
    objective = Objective(
        terms, networks, task, seed=config.seed, gather=gather, teacher=teacher, judge=judge,
        class_sizes=sizes and ClassSizes(*(share.to(session.device) for share in sizes)),
        gather_samples=gather_samples,
    )  # fmt: skip
    generators, discriminators = objective.players()
    return TrainingState(
        objective,
        modules,
        dict(networks.modules),
        optimizers.build(modules, generators, **config.optimizer.model_dump()),
        optimizers.build(modules, discriminators, **config.discriminator_optimizer.model_dump()),
        average,
    )
