"""Networks and task of a config, at random, on the meta device, or with a finished stage's weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from pipelines import shared_folder as shared
from pipelines.definition.schema import (
    AdaptingConfig,
    ComponentConfig,
    Inputs,
    MethodConfig,
    NetworksConfig,
    TrainingConfig,
)
from segda import label_space
from segda.artefacts.manifest import Manifest
from segda.config import loading as configs
from segda.config.lookup import module
from segda.data.pictures import Pictures
from segda.engine.session import Session
from segda.errors import ArtefactError
from segda.evaluation.predict import Predictor
from segda.networks import networks as network_building
from segda.networks import weights
from segda.networks.networks import Networks, Tied
from segda.networks.pretrained import IMAGENET
from segda.objectives import objective as objectives


def build_task(component: ComponentConfig) -> Any:
    """The task object that a config's `task` names, with its label space."""
    options = component.options
    space = label_space.load(options.pop("labels"))
    return module("segda.tasks", component.name).build(space, **options)


def as_mapping(component: ComponentConfig | None) -> dict[str, Any] | None:
    """A component's config as the plain mapping that the builders take."""
    return None if component is None else {"name": component.name, **component.options}


def needed_networks(method: MethodConfig) -> set[str]:
    """The networks that a method's terms need, and those that it publishes without training them."""
    return objectives.needs(objectives.build(method.terms), method.frozen)


def build_networks(config: NetworksConfig, needs: set[str], *, tied: Tied, classes: int, seed: int = 0) -> Networks:
    """The networks that the terms need, drawn from the seed and from nothing else."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network_building.build(
            needs,
            classes=classes,
            tied=tied,
            encoder=as_mapping(config.encoder) or {},
            head=as_mapping(config.head),
            decoder=as_mapping(config.decoder),
            sampler=as_mapping(config.sampler),
            rebuilder=as_mapping(config.rebuilder),
            discriminators={name: as_mapping(component) or {} for name, component in config.discriminators.items()},
        )


def load_networks(stage_folder: Path, config: dict[str, Any], kinds: tuple[str, ...], device: torch.device) -> Networks:
    """The published networks of some kinds, such as `encoder` and `head`, built as the stage's manifest says.

    Raises:
        ArtefactError: a network is missing or does not fit.
    """
    classes = build_task(ComponentConfig(**config["task"])).space.count
    plain = NetworksConfig.model_validate(without_weights(config["networks"]))
    method = MethodConfig.model_validate(config["method"])
    is_shared = shared.is_shared(stage_folder)
    available = {"encoder", "head"} if is_shared else needed_networks(method)
    needs = {need for need in available if need.split(".")[0] in kinds}
    for kind in kinds:
        if not any(need.split(".")[0] == kind for need in needs):
            raise ArtefactError(f"{stage_folder}: its method {method.title!r} trains no {kind}; name a stage that does")
    networks = build_networks(plain, needs, tied=method.tied, classes=classes)
    if is_shared:
        shared.load_tensors(networks.modules, stage_folder)
    else:
        weights.load(networks.modules, stage_folder / "networks")
    for built in networks.modules.values():
        built.to(device).eval()
    return networks


def load_predictor(stage_folder: Path, manifest: Manifest, device: torch.device) -> Predictor:
    """The encoder and head that a finished stage published, with its task, and how it read pictures in training.

    Raises:
        ArtefactError: a network is missing or does not fit.
    """
    networks = load_networks(stage_folder, manifest.config, ("encoder", "head"), device)
    task = build_task(ComponentConfig(**manifest.config["task"]))
    data = next(_data_of(manifest), {})
    bands, values = (tuple(given) if (given := data.get(key)) else None for key in ("bands", "values"))
    pictures = Pictures("apply", bands, values)
    return Predictor(networks, task, working_size(manifest), device=device, pictures=pictures)


def without_weights(config: dict[str, Any]) -> dict[str, Any]:
    """A networks config that loads no pretrained file, not even for a wrapped encoder: finished networks replace it."""

    def without(node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        return {name: without(value) for name, value in node.items() if name != "weights"}

    return {**config, "encoder": without(config["encoder"]), "head": without(config.get("head"))}


def output_stride(networks: Networks) -> int:
    """The output stride of the encoders, which crops divide by; twice that where detail crops of half of them do."""
    encoders: list[Any] = [network for name, network in networks.modules.items() if name.startswith("encoder")]
    return max(2 * networks.detail_multiple, *(int(encoder.strides[-1]) for encoder in encoders))


def networks_on_meta(config: TrainingConfig, method: MethodConfig) -> Networks:
    """A stage's networks without memory for their parameters: names and shapes. No file of weights is read."""
    with torch.device("meta"):
        built = networks_at_random(config, method)
    built.freeze(method.frozen)
    return built


def networks_at_random(config: TrainingConfig, method: MethodConfig) -> Networks:
    """A stage's networks with random parameters, whatever weights its config names."""
    classes = build_task(config.task).space.count
    return build_networks(at_random(config).networks, needed_networks(method), tied=method.tied, classes=classes)


def at_random(config: TrainingConfig) -> TrainingConfig:
    """A stage's config whose networks name no weights."""
    networks = NetworksConfig.model_validate(without_weights(config.networks.model_dump()))
    return config.model_copy(update={"networks": networks})


def load_judge(config: AdaptingConfig, inputs: Inputs, device: torch.device) -> Networks | None:
    """The encoder and head of the stage that a config names as judge."""
    if config.judge is None:
        return None
    manifest = inputs.manifest(config.judge)
    return load_networks(inputs.folder(config.judge), manifest.config, ("encoder", "head"), device)


def names_weights(config: NetworksConfig) -> bool:
    """Whether the encoder, or one that it wraps, starts from weights: a file's, or downloaded ones."""
    encoder = config.model_dump(include={"encoder"})
    return bool(configs.weights_files(encoder)) or IMAGENET in str(encoder)


def pretrained_encoder(config: TrainingConfig, device: torch.device) -> Networks:
    """The source images' encoder as a stage's config builds it, before any training, frozen; whatever `init` says."""
    tied = config.method.tied
    classes = build_task(config.task).space.count
    built = build_networks(config.networks, {"encoder"}, tied=tied, classes=classes, seed=config.seed)
    name = "encoder.source" if tied is False else "encoder"
    pretrained = Networks({name: built.modules[name].to(device)}, tied)
    pretrained.freeze([name])
    return pretrained


def initialise(networks: Networks, folder: Path, session: Session) -> None:
    """Start from the networks of an earlier stage; an untied pair of encoders both start from a single one."""
    stored = session.on_main(lambda: weights.stored(folder))
    for name, built in networks.modules.items():
        origin = name if name in stored else name.split(".")[0]
        if origin in stored:
            weights.load({origin: built}, folder)


def working_size(manifest: Manifest) -> tuple[int, int] | None:
    """The `(height, width)` that a stage resized target images to in training, else its other images."""
    size = next((data["resize"] for data in _data_of(manifest) if data.get("resize") is not None), None)
    return None if size is None else (int(size[0]), int(size[1]))


def _data_of(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """The data sets of a stage, the target first."""
    for field in ("target", "data", "source"):
        data = manifest.config.get(field) or []
        yield from data if isinstance(data, list) else [data]
