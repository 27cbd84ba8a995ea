"""What `supervise`, `translate` and `align` share: build what the terms need, train it, publish the networks."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pipelines import batches, fitting, packing
from pipelines.stage import AdaptingConfig, Component, Inputs, Method, Size, TrainingConfig
from pipelines.stage import Networks as NetworksConfig
from segda import label_space
from segda.batch import Domain
from segda.data.dataset import Dataset
from segda.engine import (
    batch_statistics,
    class_sizes,
    compilation,
    health,
    optimizers,
    recompute,
    roll_back,
    schedule,
    whole_batch,
)
from segda.engine.ema import MovingAverage
from segda.engine.fit import fit
from segda.engine.session import Session
from segda.engine.training import Training
from segda.errors import ArtefactError, ConfigError
from segda.lookup import module
from segda.networks import networks as network_building
from segda.networks import weights
from segda.networks.networks import Networks, Tied
from segda.objectives import objective as objectives
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.objective import Objective

Gather = Callable[[Tensor], Tensor]


def task_of(component: Component) -> Any:
    """The task object that a config's `task` names, with its label space."""
    options = component.options
    space = label_space.load(options.pop("labels"))
    return module("segda.tasks", component.name).build(space, **options)


def node(component: Component | None) -> dict[str, Any] | None:
    """A component's config as the plain mapping that the builders take."""
    return None if component is None else {"name": component.name, **component.options}


def needs_of(method: Method) -> set[str]:
    """What the terms of a method need, and the networks that it carries along without training them."""
    return objectives.needs(objectives.build(method.terms)) | ({"head"} & set(method.frozen))


def build_networks(config: NetworksConfig, needs: set[str], *, tied: Tied, classes: int, seed: int = 0) -> Networks:
    """The networks that the terms need, drawn from the seed and from nothing else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network_building.build(
            needs,
            classes=classes,
            tied=tied,
            encoder=node(config.encoder) or {},
            head=node(config.head),
            decoder=node(config.decoder),
            sampler=node(config.sampler),
            discriminators={name: node(component) or {} for name, component in config.discriminators.items()},
        )


def networks_of(stage_folder: Path, config: dict[str, Any], wanted: tuple[str, ...], device: torch.device) -> Networks:
    """The networks that a finished stage published, built as its config says and loaded with its weights.

    Args:
        stage_folder: the stage's folder, with `networks/`.
        config: the config in its manifest.
        wanted: which kinds of networks, such as `encoder` and `head`.
        device: where to put them.

    Raises:
        ArtefactError: a network is missing or does not fit.
    """
    classes = task_of(Component(**config["task"])).space.count
    plain = NetworksConfig.model_validate(without_weights(config["networks"]))
    method = Method.model_validate(config["method"])
    needs = {need for need in needs_of(method) if need.split(".")[0] in wanted}
    for kind in wanted:
        if not any(need.split(".")[0] == kind for need in needs):
            raise ArtefactError(f"{stage_folder}: its method {method.title!r} trains no {kind}; name a stage that does")
    networks = build_networks(plain, needs, tied=method.tied, classes=classes)
    weights.load(networks.modules, stage_folder / "networks")
    for built in networks.modules.values():
        built.to(device).eval()
    return networks


def without_weights(config: dict[str, Any]) -> dict[str, Any]:
    """A networks config that loads no pretrained file: finished networks bring all their weights along."""
    return {**config, "encoder": _without_weights(config["encoder"])}


def _without_weights(encoder: dict[str, Any]) -> dict[str, Any]:
    """An encoder's options without `weights`, also where it wraps another encoder."""
    return {
        name: _without_weights(value) if isinstance(value, dict) else value
        for name, value in encoder.items() if name != "weights"
    }  # fmt: skip


def check(config: TrainingConfig, method: Method) -> None:
    """Refuse what cannot be trained: unknown terms, networks that cannot be built, crops that do not fit the stride.

    Raises:
        ConfigError: names the key.
    """
    if not method.terms:
        raise ConfigError(f"method: {method.title!r} trains nothing; it goes with a stage of kind export")
    terms = objectives.build(method.terms)
    needs = needs_of(method)
    if "teacher" in needs and config.ema is None:
        raise ConfigError("ema: a term learns from a teacher, the moving average of the networks; set ema: 0.99, say")
    task = task_of(config.task)
    given = {"teacher", *task.offers}
    if isinstance(config, AdaptingConfig):
        given |= {"class_sizes"} | ({"judge"} if config.judge else set()) | ({"pairs"} if config.paired else set())
    objectives.check_given(terms, given)
    built = described(config, method)
    if isinstance(config, AdaptingConfig) and method.frozen and config.init is None:
        raise ConfigError(f"init: {', '.join(method.frozen)} will not learn, so it must start from a stage; set `init`")
    stride = stride_of(built)
    if config.crop is not None and any(side % stride for side in config.crop):
        below = tuple(max(side // stride, 1) * stride for side in config.crop)
        raise ConfigError(
            f"crop: {list(config.crop)} is not divisible by the encoder's output stride {stride}; "
            f"use {list(below)}, for example"
        )


def stride_of(networks: Networks) -> int:
    """The output stride of the encoders, which crops divide by."""
    encoders: list[Any] = [network for name, network in networks.modules.items() if name.startswith("encoder")]
    return max(int(encoder.strides[-1]) for encoder in encoders)


def described(config: TrainingConfig, method: Method) -> Networks:
    """A stage's networks without memory for their parameters: names and shapes. No file of weights is read."""
    with torch.device("meta"):
        built = drawn(config, method)
    built.freeze(method.frozen)
    return built


def drawn(config: TrainingConfig, method: Method) -> Networks:
    """A stage's networks with random parameters, whatever weights its config names."""
    plain = NetworksConfig.model_validate(without_weights(config.networks.model_dump()))
    return build_networks(plain, needs_of(method), tied=method.tied, classes=task_of(config.task).space.count)


def train(
    config: TrainingConfig,
    method: Method,
    *,
    source: Dataset,
    target: Dataset | None,
    resizes: dict[Domain, Size | None],
    init: Path | None,
    published: tuple[str, ...],
    folder: Path,
    session: Session,
    target_statistics: int = 0,
    teacher_statistics: Literal["running", "batch"] = "running",
    judge: Networks | None = None,
    prepare: Callable[[Networks], Networks] | None = None,
) -> dict[str, Any]:
    """Train the networks that a method needs and write the published ones to `folder/networks`.

    Args:
        config: the stage's config.
        method: its table of terms.
        source: the labelled set.
        target: the unlabelled set; `None` for supervised training.
        resizes: the size that each domain's images are worked at; `None` for each file's own.
        init: folder with networks of an earlier stage; those of equal name start from there.
        published: first parts of the names of networks worth keeping, such as `encoder`.
        folder: the stage's folder.
        session: the processes.
        target_statistics: number of target images to take the published batch normalisation statistics from.
        teacher_statistics: what a teacher's batch normalisation goes by.
        judge: a finished encoder and head, for terms that need them.
        prepare: called with the networks on their device before training; trains what it gives back.

    Returns:
        What the manifest says of the training.
    """
    sizes = class_sizes.measure(source) if "class_sizes" in needs_of(method) else None
    gathering = config.runtime.gather_statistics and session.world > 1

    def assemble(gather: Gather, gather_samples: Gather | None = None) -> Training:
        return _assemble(
            config, method, init, published, session, teacher_statistics, judge, prepare, sizes, gather, gather_samples
        )

    if gathering and config.runtime.compile:
        raise ConfigError("runtime.compile: does not go with runtime.gather_statistics; leave out one of them")
    read, other = packing.streams(config, source, target, folder.parent, session)
    if config.runtime.fit_memory:
        trial = partial(batches.micro_batches, source=read, target=other, resizes=resizes, start=0, session=session)
        with compilation.compiled(config.runtime.compile):
            config = fitting.fitted(config, folder, assemble, trial, session)
    training = assemble(session.gather, session.gather_samples if gathering else None)
    modules, average, teacher = training.modules, training.average, training.objective.teacher
    training.objective.networks.train()
    note = whole_batch.note(
        modules, teacher.modules if teacher else {}, training.objective.terms,
        parts=config.accumulate * (1 if gathering else session.world), world=1 if gathering else session.world,
    )  # fmt: skip
    if note is not None:
        session.print(f"{folder.name}: {note}")
    # Dropout is the one thing that draws from torch's own generator; its state is part of every checkpoint.
    torch.manual_seed(config.seed * 1_000_003 + session.rank)
    start = training.restore(folder / "checkpoints", session)
    task = task_of(config.task)
    first = start + roll_back.passed_over(training.roll_backs)
    with ExitStack() as stack:
        stack.enter_context(compilation.compiled(config.runtime.compile))
        # Loading processes end with the loop, however that ends.
        stream = stack.enter_context(closing(batches.micro_batches(config, read, other, resizes, first, session)))
        if gathering:
            stack.enter_context(whole_batch.NormaliseWholeBatch(session.gather_samples))
        health_found = fit(
            training,
            stream,
            session,
            folder=folder,
            title=folder.name,
            start=start,
            steps=config.steps,
            accumulate=config.accumulate,
            discriminator_steps=config.discriminator_steps,
            factor=lambda step: schedule.factor(
                config.schedule.name, step, config.steps, **config.schedule.model_dump(exclude={"name"})
            ),
            save_every=config.runtime.save_every,
            log_every=config.runtime.log_every,
            care=health.Care(
                health.Limits(**config.runtime.health.model_dump()), config.runtime.on_bad_health, task.space.classes
            ),
            profile=config.runtime.profile,
        )
    if session.is_main:
        kept: dict[str, nn.Module] = {name: m for name, m in modules.items() if name.split(".")[0] in published}
        if average:
            kept.update(average.modules)
        compilation.undo(kept)  # what follows sees images of other sizes
        if target_statistics and target is not None:
            images = batches.target_images(target, resizes["target"], config.batch, target_statistics, session.device)
            batch_statistics.estimate(Networks(kept, tied=method.tied), images)
        weights.save(kept, folder / "networks")
    session.barrier()
    session.release()
    fitted = {"accumulate": config.accumulate} if config.runtime.fit_memory else {}
    return {"steps": config.steps, "health": health_found, **fitted}


def _assemble(
    config: TrainingConfig,
    method: Method,
    init: Path | None,
    published: tuple[str, ...],
    session: Session,
    teacher_statistics: Literal["running", "batch"],
    judge: Networks | None,
    prepare: Callable[[Networks], Networks] | None,
    sizes: ClassSizes | None,
    gather: Gather,
    gather_samples: Gather | None,
) -> Training:
    """Networks as the seed draws them, or as `init` left them, with the method's terms and the optimizers."""
    task = task_of(config.task)
    terms = objectives.build(method.terms)
    needs = needs_of(method)
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
        batch_statistics.normalise_by_batch(teacher.modules)
    if config.runtime.recompute:
        judging = {f"judge.{name}": built for name, built in judge.modules.items()} if judge is not None else {}
        recompute.apply({**modules, **judging}, gather_samples)

    if config.runtime.compile:
        for each in (networks, teacher, judge):
            if each is not None:
                compilation.compile_networks(each.modules, but=objectives.differentiated_twice(terms))
    networks.modules = session.prepare(modules)
    objective = Objective(
        terms, networks, task, seed=config.seed, gather=gather, teacher=teacher, judge=judge,
        class_sizes=sizes and ClassSizes(*(share.to(session.device) for share in sizes)),
        gather_samples=gather_samples,
    )  # fmt: skip
    generators, discriminators = objective.players()
    return Training(
        objective,
        modules,
        dict(networks.modules),
        optimizers.build(modules, generators, **config.optimizer.model_dump()),
        optimizers.build(modules, discriminators, **config.discriminator_optimizer.model_dump()),
        average,
    )


def adapt(
    config: AdaptingConfig,
    inputs: Inputs,
    *,
    published: tuple[str, ...],
    folder: Path,
    session: Session,
    target_statistics: int = 0,
    teacher_statistics: Literal["running", "batch"] = "running",
) -> dict[str, Any]:
    """`train` on both domains; the target is opened without its labels."""
    return train(
        config,
        config.method,
        source=batches.open_data(config, "source", inputs, with_labels=True, session=session),
        target=batches.open_data(config, "target", inputs, with_labels=False, session=session),
        resizes={"source": config.source.resize, "target": config.target.resize},
        init=inputs.folder(config.init) / "networks" if config.init else None,
        judge=judge_of(config, inputs, session.device),
        published=published,
        folder=folder,
        session=session,
        target_statistics=target_statistics,
        teacher_statistics=teacher_statistics,
    )


def judge_of(config: AdaptingConfig, inputs: Inputs, device: torch.device) -> Networks | None:
    """The encoder and head of the stage that a config names as judge."""
    if config.judge is None:
        return None
    manifest = inputs.manifest(config.judge)
    return networks_of(inputs.folder(config.judge), manifest.config, ("encoder", "head"), device)


def initialise(networks: Networks, folder: Path, session: Session) -> None:
    """Start from the networks of an earlier stage; an untied pair of encoders both start from a single one."""
    stored = session.on_main(lambda: weights.stored(folder))
    for name, built in networks.modules.items():
        origin = name if name in stored else name.split(".")[0]
        if origin in stored:
            weights.load({origin: built}, folder)
