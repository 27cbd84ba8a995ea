"""Calling the `build` of a network component that a config names."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from segda.config import lookup
from segda.errors import ConfigError


def build(kind: str, config: Mapping[str, Any] | None, key: str, *arguments: Any) -> nn.Module:
    """Call the `build` of a component's file with the method's leading `arguments` and the options of its `config`.

    `kind` is encoder, head, decoder, discriminator, sampler or rebuilder; `key` is that of `config`, for messages.

    Raises:
        ConfigError: none is configured, there is none of that name, or it has no such option, or not of such a value.
    """
    if config is None or not isinstance(config.get("name"), str):
        names = ", ".join(lookup.names(f"segda.networks.{kind}s"))
        raise ConfigError(f"{key}: none configured, but the method's terms need it; add a `name`, one of: {names}")
    options = {option: value for option, value in config.items() if option != "name"}
    component = lookup.module(f"segda.networks.{kind}s", config["name"])
    valid = list(inspect.signature(component.build).parameters)[len(arguments) :]
    for option in options:
        if option not in valid:
            raise ConfigError(f"{key}: {config['name']} has no option {option!r}; {lookup.nearest(option, valid)}")
    try:
        module: nn.Module = component.build(*arguments, **options)
    except ValueError as error:  # of a layer, such as a dropout of 1.5
        raise ConfigError(f"{key}: {config['name']} with {options}: {error}; correct the option") from error
    return module
