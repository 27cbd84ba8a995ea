"""A step of a stage on tensors that hold nothing: whether its networks take its images, its batch and one another."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import Reference, Size, TrainingConfig
from pipelines.networks import build_networks, build_task, networks_at_random, networks_on_meta, without_weights
from pipelines.planning import meta_step
from pipelines.stages.evaluate import Config as EvaluateConfig
from pipelines.stages.export.config import DIVISOR
from pipelines.stages.export.config import Config as ExportConfig
from segda.config import loading as configs
from segda.engine.out_of_memory import out_of_memory_reason
from segda.engine.peak_memory import DEVICE, MetaPeakMemory
from segda.errors import ConfigError, SegdaError
from segda.networks.networks import Networks
from segda.networks.pretrained import IMAGENET

SUPERVISED = ("encoder", "head")
"""What a stage publishes that does not say so."""


def refuse(pipeline: Pipeline, stage: Stage, sizes: Mapping[str, Size | None], samples: int, *, begins: bool) -> None:
    """Refuse a stage whose first step would fail.

    Args:
        pipeline: that it belongs to.
        stage: the stage.
        sizes: height and width of what its networks see, by field of the data set; `None` where not known.
        samples: of each domain, of one process in one micro-batch.
        begins: whether a run begins, so that weights are read and downloaded, too.

    Raises:
        ConfigError: names the stage.
    """
    config, seen = stage.config, [size for size in sizes.values() if size is not None]
    try:
        if isinstance(config, TrainingConfig):
            if begins:
                _load_weights(config)
            _check_init(pipeline, config)
            _check_average(pipeline, stage, config)
            if len(seen) == len(sizes):
                _train(pipeline, config, seen, samples)
        elif isinstance(config, EvaluateConfig) and seen:
            for reference in config.rows.values():
                _score(pipeline, reference, seen[0], config)
        elif isinstance(config, ExportConfig) and config.translator is not None and sizes["data"] is not None:
            _translate(pipeline, config.translator, sizes["data"], config)
    except SegdaError as error:
        raise ConfigError(f"stages.{stage.name}: {error}") from error
    except NotImplementedError:  # outside code that needs values
        return
    except (RuntimeError, ValueError, IndexError) as error:
        reason = " ".join(str(error).split("\n")[0].split())[:160]
        if "meta" in reason or out_of_memory_reason(error) is not None:  # likewise; the stage itself needs more
            return
        images = " and ".join(f"{height}x{width}" for height, width in dict.fromkeys(seen))
        batch = f"{samples} samples of {images}" if samples else f"images of {images}"
        raise ConfigError(
            f"stages.{stage.name}: its networks cannot take {batch} ({reason}); give a larger `crop`, `resize` or "
            "`batch`, a smaller `accumulate`, or other networks"
        ) from error


def _train(pipeline: Pipeline, config: TrainingConfig, sizes: list[Size], samples: int) -> None:
    with MetaPeakMemory():
        with DEVICE:
            state = meta_step.assembled(pipeline, config)
        state.objective.networks.train()
        batch = meta_step.meta_batch(samples, sizes[0], sizes[-1], "label_map" in state.objective.task.offers)
        forward = state.objective.forward(batch, 0.5)
        state.objective.generator_losses(forward)
        state.objective.discriminator_losses(forward)


def _score(pipeline: Pipeline, reference: Reference, size: Size, config: EvaluateConfig) -> None:
    origin = pipeline.stages[reference.stage].config
    assert isinstance(origin, TrainingConfig)
    for scale in config.augmentation.scales:
        seen = config.augmentation.window or (round(size[0] * scale), round(size[1] * scale))
        with torch.no_grad(), MetaPeakMemory():
            networks, image = _inferring(origin), torch.zeros(1, 3, *seen, device=DEVICE)
            build_task(origin.task).predict(networks, image, seen)


def _translate(pipeline: Pipeline, reference: Reference, size: Size, config: ExportConfig) -> None:
    origin = pipeline.stages[reference.stage].config
    assert isinstance(origin, TrainingConfig)
    seen = config.tile or (size[0] + -size[0] % DIVISOR, size[1] + -size[1] % DIVISOR)
    with torch.no_grad(), MetaPeakMemory():
        networks, image = _inferring(origin), torch.zeros(1, 3, *seen, device=DEVICE)
        networks.decode(networks.encode(image, "source"), "target")


def _inferring(origin: TrainingConfig) -> Networks:
    with DEVICE:
        networks = networks_at_random(origin, origin.method)
    for built in networks.modules.values():
        built.eval()
    return networks


def _load_weights(config: TrainingConfig) -> None:
    """Build the encoder with the weights that the config names: whether they fit is known by that alone."""
    encoder = config.networks.model_dump(include={"encoder"})
    if configs.weights_files(encoder) or IMAGENET in str(encoder):
        classes = build_task(config.task).space.count
        build_networks(config.networks, {"encoder"}, tied=config.method.tied, classes=classes)


def _check_init(pipeline: Pipeline, config: TrainingConfig) -> None:
    """Refuse an `init` whose networks are not those that the stage would start from."""
    init: Reference | None = getattr(config, "init", None)
    if init is None:
        return
    origin = pipeline.stages[init.stage]
    assert isinstance(origin.config, TrainingConfig)
    if _networks(origin.config) == _networks(config):
        return
    stored = _published(origin)
    for name, network in networks_on_meta(config, config.method).modules.items():
        before = stored.get(name) or stored.get(name.split(".")[0])
        if before is not None:
            _demand_equal_shapes(network, before, f"init: the {name} of stage {init.stage!r}")


def _check_average(pipeline: Pipeline, stage: Stage, config: TrainingConfig) -> None:
    """Refuse to average with networks that are not this stage's, before it has trained rather than after."""
    for number, reference in enumerate(config.average_with):
        others = _published(pipeline.stages[reference.stage])
        for name, network in _published(stage).items():
            if name not in others:
                raise ConfigError(
                    f"average_with.{number}: stage {reference.stage!r} publishes {', '.join(others)} and no {name}, as "
                    "this stage does; leave it out"
                )
            where = f"average_with.{number}: the {name} of stage {reference.stage!r}"
            _demand_equal_shapes(network, others[name], where)


def _published(stage: Stage) -> dict[str, nn.Module]:
    """The networks that a training stage publishes, without memory for their parameters."""
    assert isinstance(stage.config, TrainingConfig)
    kinds = getattr(stage.module, "PUBLISHED", SUPERVISED)
    built = networks_on_meta(stage.config, stage.config.method).modules
    return {name: network for name, network in built.items() if name.split(".")[0] in kinds}


def _demand_equal_shapes(own: nn.Module, other: nn.Module, where: str) -> None:
    expected, found = ({key: tuple(tensor.shape) for key, tensor in each.state_dict().items()} for each in (own, other))
    differing = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    if differing:
        raise ConfigError(
            f"{where} differs in {len(differing)} tensors, first {differing[0]}: {found.get(differing[0], 'none')}, "
            f"this stage's is {expected.get(differing[0], 'none')}; give both stages the same networks"
        )


def _networks(config: TrainingConfig) -> dict[str, Any]:
    """What decides the shapes of the networks that stages hand on."""
    handed = without_weights(config.networks.model_dump(include={"encoder", "head", "decoder"}))
    return {**handed, "tied": config.method.tied}
