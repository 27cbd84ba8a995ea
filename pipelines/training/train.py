"""What `supervise`, `translate` and `align` share: build what the terms need, train it, publish the networks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from pipelines.definition.schema import AdaptingConfig, Inputs, TrainingConfig
from pipelines.networks import (
    build_task,
    load_judge,
    names_weights,
    needed_networks,
    networks_on_meta,
    output_stride,
    pretrained_encoder,
)
from pipelines.training import batches, fit_memory, matching, packs, sampling
from pipelines.training.assembly import assemble, initial_networks
from pipelines.training.open_data import open_sources, open_stage_data
from segda.batch import Batch
from segda.config.validation import validate_options
from segda.data.augmentation.photometry import Photometry
from segda.data.dataset import Dataset
from segda.engine import adabn, class_sizes, compile, learning_rate, synchronized_batch
from segda.engine.fit import Schedule, fit
from segda.engine.health import HealthPolicy
from segda.engine.profiler import Profiler
from segda.engine.recorder import Recorder
from segda.engine.resume import Checkpointer, resume
from segda.engine.session import Local, Session
from segda.engine.state import TrainingState
from segda.errors import ConfigError
from segda.networks import weights
from segda.networks.networks import Networks
from segda.objectives import objective as objectives
from segda.objectives.class_sizes import ClassSizes
from segda.terminal.progress import ProgressLine


def check(config: TrainingConfig) -> None:
    """Refuse what cannot be trained: unknown terms, networks that cannot be built, crops that do not fit the stride.

    Raises:
        ConfigError: names the key.
    """
    method = config.method
    if not method.terms:
        raise ConfigError(f"method: {method.title!r} trains nothing; it goes with a stage of kind export")
    terms = objectives.build(method.terms)
    needs = objectives.needs(terms, method.frozen)
    if "teacher" in needs and config.ema is None:
        raise ConfigError("ema: a term learns from a teacher, the moving average of the networks; set ema: 0.99, say")
    if config.augment.photometry is not None:
        Photometry(**validate_options(Photometry, config.augment.photometry, "augment.photometry"))
    task = build_task(config.task)
    available = {"teacher", *task.offers} | ({"pretrained"} if names_weights(config.networks) else set())
    if isinstance(config, AdaptingConfig):
        available |= {"class_sizes"} | ({"judge"} if config.judge else set()) | ({"pairs"} if config.paired else set())
    objectives.check_available(terms, available)
    if config.sampling.largest_class is not None and "label_map" not in task.offers:
        raise ConfigError(
            f"sampling.largest_class: chooses crops by their label maps; {config.task.name} has one class an image, so "
            "leave it out"
        )
    built = networks_on_meta(config, method)
    if isinstance(config, AdaptingConfig) and method.frozen and config.init is None:
        raise ConfigError(f"init: {', '.join(method.frozen)} will not learn, so it must start from a stage; set `init`")
    stride = output_stride(built)
    if config.crop is not None and any(side % stride for side in config.crop):
        below = tuple(max(side // stride, 1) * stride for side in config.crop)
        raise ConfigError(
            f"crop: {list(config.crop)} is not divisible by the encoder's output stride {stride}; "
            f"use {list(below)}, for example"
        )


def train(
    config: TrainingConfig,
    *,
    sources: Sequence[Dataset],
    target: Dataset | None,
    init: Path | None,
    published: tuple[str, ...],
    folder: Path,
    session: Session,
    target_statistics: int = 0,
    teacher_statistics: Literal["running", "batch"] = "running",
    average_with: Sequence[Path] = (),
    judge: Networks | None = None,
    describer: Networks | None = None,
    prepare: Callable[[Networks], Networks] | None = None,
) -> dict[str, Any]:
    """Train the networks that a method needs and write the published ones to `folder/networks`.

    Args:
        config: the stage's config.
        sources: the labelled sets, in the order of the config's.
        target: the unlabelled set; `None` for supervised training.
        init: folder with networks of an earlier stage; those of equal name start from there.
        published: first parts of the names of networks worth keeping, such as `encoder`.
        folder: the stage's folder.
        session: the processes.
        target_statistics: number of target images to take the published batch normalisation statistics from.
        teacher_statistics: what a teacher's batch normalisation goes by.
        average_with: folders with networks of earlier stages that the published ones are averaged with.
        judge: a finished encoder and head, for terms that need them.
        describer: a finished encoder that describes crops, where those of both domains are matched.
        prepare: called with the networks on their device before training; trains what it gives back.

    Returns:
        What the manifest says of the training.
    """
    method, sizes, pretrained = config.method, None, None
    needs = needed_networks(method)
    if "class_sizes" in needs:
        count = min(class_sizes.LIMIT, sum(map(len, sources)))
        title = f"{folder.name}: sizes of classes"
        with ProgressLine(title, 0, count, "labels", show=session.is_main, folder=folder) as line:
            measured = class_sizes.measure(sources, progress=line.update)
        sizes = ClassSizes(*(share.to(session.device) for share in measured))
    if "pretrained" in needs:
        pretrained = pretrained_encoder(config, session.device)
    gathering = config.runtime.gather_statistics and session.world > 1

    def assembled(processes: Session | Local) -> TrainingState:
        networks = initial_networks(config, init, session)
        return assemble(
            config, networks if prepare is None else prepare(networks), published, processes,
            teacher_statistics=teacher_statistics, judge=judge, pretrained=pretrained, class_sizes=sizes,
            gather_samples=session.gather_samples if gathering and processes is session else None,
        )  # fmt: skip

    if gathering and config.runtime.compile:
        raise ConfigError("runtime.compile: does not go with runtime.gather_statistics; leave out one of them")
    order = sampling.source_order(config, sources, folder, session)
    matches = None
    if describer is not None and target is not None and isinstance(config, AdaptingConfig):
        matches = matching.target_order(config, sources, target, describer, order, folder, session)
    read, other = packs.streams(config, sources, target, folder.parent, session)
    stream_from = partial(
        batches.micro_batches, sources=read, target=other, order=order, session=session, matches=matches
    )
    if config.runtime.fit_memory:
        trial = partial(stream_from, start=0)
        with compile.compiled(config.runtime.compile):
            config = fit_memory.with_fitting_accumulate(config, folder, assembled, trial, session)
    state = assembled(session)
    state.objective.networks.train()
    teacher = state.objective.teacher
    note = synchronized_batch.note(
        state.modules, teacher.modules if teacher else {}, state.objective.terms,
        parts=config.accumulate * (1 if gathering else session.world), world=1 if gathering else session.world,
    )  # fmt: skip
    if note is not None:
        session.print(f"{folder.name}: {note}")
    # Dropout is the one thing that draws from torch's own generator; its state is part of every checkpoint.
    torch.manual_seed(config.seed * 1_000_003 + session.rank)
    resume(state, folder / "checkpoints", session)
    with ExitStack() as stack:
        stack.enter_context(compile.compiled(config.runtime.compile))
        # Loading processes end with the loop, however that ends.
        stream = stack.enter_context(closing(stream_from(config, start=state.step)))
        if gathering:
            stack.enter_context(synchronized_batch.SynchronizedBatchNorm(session.gather_samples))
        health = _fit(config, state, stream, folder, session)
    if session.is_main:
        kept: dict[str, nn.Module] = {name: m for name, m in state.modules.items() if name.split(".")[0] in published}
        if state.average:
            kept.update(state.average.modules)
        compile.undo(kept)  # what follows sees images of other sizes
        if target_statistics and target is not None and isinstance(config, AdaptingConfig):
            images = batches.target_images(
                target, config.target.resize, config.batch, target_statistics, session.device
            )
            number = -(-min(target_statistics, len(target)) // config.batch)
            with ProgressLine(f"{folder.name}: statistics", 0, number, "batches", folder=folder) as line:
                adabn.estimate(Networks(kept, tied=method.tied), line.over(images))
        weights.average(kept, average_with)
        weights.save(kept, folder / "networks")
    session.barrier()
    session.release()
    fitted = {"accumulate": config.accumulate} if config.runtime.fit_memory else {}
    return {"steps": config.steps, "health": health, **fitted}


def _fit(
    config: TrainingConfig, state: TrainingState, stream: Iterator[Batch], folder: Path, session: Session
) -> dict[str, Any]:
    """Train to the end; what the manifest says of the training's health."""
    steps, runtime, title = config.steps, config.runtime, folder.name
    rates = config.schedule.model_dump()
    schedule = Schedule(
        steps, config.accumulate, config.discriminator_steps,
        factor=lambda step: learning_rate.factor(step=step, steps=steps, **rates),
    )  # fmt: skip
    classes, labelled = build_task(config.task).space.classes, config.method.labels
    policy = HealthPolicy(runtime.health, runtime.on_bad_health, classes, labelled)
    recorder = Recorder(
        folder, title, state, session, steps=steps, log_every=runtime.log_every, policy=policy,
        trackers=runtime.trackers, config=config.model_dump(mode="json", by_alias=True),
    )  # fmt: skip
    checkpointer = Checkpointer(folder / "checkpoints", session, save_every=runtime.save_every, steps=steps)
    enabled = runtime.profile and session.is_main
    profiler = Profiler(folder, recorder.log.progress, state.step, steps, session.device, enabled=enabled)
    fit(state, stream, session, schedule, recorder, checkpointer, profiler)
    return recorder.health()


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
        sources=open_sources(config, inputs, session),
        target=open_stage_data(config, "target", inputs, with_labels=False, session=session),
        init=inputs.folder(config.init) / "networks" if config.init else None,
        judge=load_judge(config, inputs, session.device),
        describer=matching.load_describer(config, inputs, session.device),
        average_with=[inputs.folder(each) / "networks" for each in config.average_with],
        published=published,
        folder=folder,
        session=session,
        target_statistics=target_statistics,
        teacher_statistics=teacher_statistics,
    )
