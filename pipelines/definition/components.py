"""Check components of a config: that they exist, and that their options fit the signature of `build`."""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import BaseModel

from pipelines.definition import labels
from pipelines.definition.schema import ComponentConfig, DataConfig, MethodConfig, NetworksConfig
from segda import label_space
from segda.config.lookup import module, nearest_of
from segda.config.validation import validate_options
from segda.errors import ConfigError

READER = ("root", "space", "split", "with_labels", "strict")
HEAD = ("channels", "strides", "classes")
DECODER = ("channels", "strides", "domains")
DISCRIMINATOR = ("channels", "classes")
SAMPLER = ("domains",)
REBUILDER = ("channels",)
TRANSFER = ("device",)


def _builder(package: str, name: str, path: str) -> Callable[..., Any]:
    try:
        component = module(package, name)
    except ConfigError as error:
        written = _of_smp(package, name)
        raise ConfigError(f"{path}: {f'found {name!r}; did you mean {written}?' if written else error}") from None
    if not hasattr(component, "build"):
        raise ConfigError(f"{path}: {name!r} has no function 'build', which every component needs")
    builder: Callable[..., Any] = component.build
    return builder


def _of_smp(package: str, name: str) -> str | None:
    """How to write a network that segmentation-models-pytorch has under this name, or one like it."""
    if package not in ("segda.networks.encoders", "segda.networks.heads"):
        return None
    key = "encoder" if package.endswith("encoders") else "decoder"
    known = nearest_of(name, module(package, "smp").names(), cutoff=0.8)
    return None if known is None else f"{{name: smp, {key}: {known}}}"


def check_component(
    package: str,
    component: ComponentConfig,
    path: str,
    passed: Collection[str] = (),
    beside: Collection[str] | None = None,
) -> None:
    """Check that a component of `package` exists and that its options fit; code passes the parameters in `passed`.

    `beside` are the keys of the YAML that are no options; `None` for the fields of the config.

    Raises:
        ConfigError: no such component, or an option does not fit.
    """
    builder = _builder(package, component.name, f"{path}.name")
    for option in component.options.keys() & set(passed):
        raise ConfigError(f"{path}.{option}: is set by the code, not by a config; remove it")
    if beside is None:
        described = labels.DESCRIPTION if isinstance(component, DataConfig) else ()
        beside = {*type(component).model_fields, *described}
    validate_options(builder, component.options, path, passed, beside)


def _check_networks(networks: NetworksConfig, path: str) -> None:
    check_component("segda.networks.encoders", networks.encoder, f"{path}.encoder")
    if networks.head is not None:
        check_component("segda.networks.heads", networks.head, f"{path}.head", HEAD)
    if networks.decoder is not None:
        check_component("segda.networks.decoders", networks.decoder, f"{path}.decoder", DECODER)
    if networks.sampler is not None:
        check_component("segda.networks.samplers", networks.sampler, f"{path}.sampler", SAMPLER)
    if networks.rebuilder is not None:
        check_component("segda.networks.rebuilders", networks.rebuilder, f"{path}.rebuilder", REBUILDER)
    for name, discriminator in networks.discriminators.items():
        check_component("segda.networks.discriminators", discriminator, f"{path}.discriminators.{name}", DISCRIMINATOR)


def _check_method(method: MethodConfig, path: str) -> None:
    for name, options in method.terms.items():
        where = f"{path}.terms.{name}"
        validate_options(_builder("segda.objectives.terms", name, where), options, where)
    if method.transfer is not None:
        check_component("segda.transfer", method.transfer, f"{path}.transfer", TRANSFER)


def check_task(task: ComponentConfig, path: str = "task") -> None:
    """Check the task's module, options and label space.

    Raises:
        ConfigError: one of them does not exist or does not fit.
    """
    options = task.options
    misspelt = None if "labels" in options else nearest_of("labels", options, cutoff=0.6)
    if misspelt is not None:
        raise ConfigError(f"{path}.{misspelt}: unknown key; did you mean 'labels'?")
    space = labels.resolved(options.pop("labels", None), f"{path}.labels")
    if not isinstance(space, str | dict):
        raise ConfigError(f"{path}.labels: found {space!r}; expected the name of a label space, or a YAML file")
    try:
        label_space.load(space)
    except ConfigError as error:
        raise ConfigError(f"{path}.labels: {error}") from None
    check_component("segda.tasks", ComponentConfig(name=task.name, **options), path, ("space",), {"name", "labels"})


def check_components(node: Any, path: str) -> None:
    """Check every component below a validated config node at `path` in the pipeline.

    Raises:
        ConfigError: a component does not exist, or an option does not fit its signature.
    """
    if isinstance(node, DataConfig):
        check_component("segda.data.readers", node, path, READER)
    elif isinstance(node, NetworksConfig):
        _check_networks(node, path)
    elif isinstance(node, MethodConfig):
        _check_method(node, path)
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            if name == "task":
                check_task(node.task)  # type: ignore[attr-defined]
            else:
                check_components(getattr(node, name), f"{path}.{name}")
    elif isinstance(node, dict):
        for name, child in node.items():
            check_components(child, f"{path}.{name}")
    elif isinstance(node, list | tuple):
        for index, child in enumerate(node):
            check_components(child, f"{path}.{index}")
