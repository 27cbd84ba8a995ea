"""Build all that a training stage changes: networks, objective, optimizers, moving average."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from torch import Tensor

from pipelines.definition.schema import TrainingConfig
from pipelines.networks import build_networks, build_task, initialise
from segda.engine import activation_checkpointing, adabn, compile, optimizers
from segda.engine.ema import MovingAverage
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState
from segda.networks import memory_format
from segda.networks.networks import Networks
from segda.objectives import objective as objectives
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.objective import Objective


def initial_networks(config: TrainingConfig, init: Path | None, session: Session) -> Networks:
    """A stage's networks on the device, as the seed draws them, or as the networks in `init` left them."""
    method = config.method
    needs = objectives.needs(objectives.build(method.terms), method.frozen)
    classes = build_task(config.task).space.count
    networks = build_networks(config.networks, needs, tied=method.tied, classes=classes, seed=config.seed)
    if init is not None:
        initialise(networks, init, session)
    networks.freeze(method.frozen)
    for module in networks.modules.values():
        module.to(session.device)
    return networks


def assemble(
    config: TrainingConfig,
    networks: Networks,
    published: tuple[str, ...],
    session: Session | Local,
    *,
    teacher_statistics: Literal["running", "batch"] = "running",
    judge: Networks | None = None,
    pretrained: Networks | None = None,
    class_sizes: ClassSizes | None = None,
    gather_samples: Callable[[Tensor], Tensor] | None = None,
) -> TrainingState:
    """Networks with the terms of the stage's method and the optimizers.

    All networks and class sizes are on the device; the networks are wrapped for the session's processes. Those of the
    `published` kinds are averaged. `gather_samples` concatenates samples over processes, where statistics are to be
    those of whole batches; for the rest see `pipelines.training.train.train`.
    """
    method, modules = config.method, dict(networks.modules)
    terms = objectives.build(method.terms)
    for module in judge.modules.values() if judge is not None else ():
        module.requires_grad_(False)
    others = [module for each in (judge, pretrained) if each is not None for module in each.modules.values()]
    memory_format.use_faster_format([*modules.values(), *others])
    followed = {name: module for name, module in modules.items() if name.split(".")[0] in published}
    average = MovingAverage(followed, config.ema, config.ema_warmup) if config.ema else None
    needs_teacher = "teacher" in objectives.needs(terms, method.frozen)
    teacher = Networks(average.modules, tied=method.tied) if average and needs_teacher else None
    if teacher is not None and teacher_statistics == "batch":
        adabn.normalise_by_batch(teacher.modules)
    if config.runtime.recompute:
        judging = {f"judge.{name}": module for name, module in judge.modules.items()} if judge is not None else {}
        activation_checkpointing.apply({**modules, **judging}, gather_samples)
    if config.runtime.compile:
        for each in (networks, teacher, judge, pretrained):
            if each is not None:
                compile.compile_networks(each.modules, but=objectives.differentiated_twice(terms))
    networks.modules = session.prepare(modules)
    objective = Objective(
        terms, networks, build_task(config.task), seed=config.seed, gather=session.gather, teacher=teacher,
        judge=judge, class_sizes=class_sizes, gather_samples=gather_samples,
        pretrained=pretrained,
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
