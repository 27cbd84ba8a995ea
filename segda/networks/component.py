"""Calling the `build` of a network component that a config names."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from segda.config import lookup
from segda.errors import ConfigError


def build(kind: str, config: Mapping[str, Any] | None, key: str, *given: Any) -> nn.Module:
    """Call the `build` of a component file with what the method gives it and the user's options.

    Args:
        kind: encoder, head, decoder, discriminator or sampler.
        config: the component's `name` and options.
        key: where the configuration has it, for messages.
        given: the leading arguments.

    Raises:
        ConfigError: none is configured, there is none of that name, or it has no such option.
    """
    if config is None or not isinstance(config.get("name"), str):
        valid = ", ".join(lookup.names(f"segda.networks.{kind}s"))
        raise ConfigError(f"{key}: none configured, but the method's terms need it; add a `name`, one of: {valid}")
    options = {option: value for option, value in config.items() if option != "name"}
    component = lookup.module(f"segda.networks.{kind}s", config["name"])
    known = list(inspect.signature(component.build).parameters)[len(given) :]
    for option in options:
        if option not in known:
            raise ConfigError(f"{key}: {config['name']} has no option {option!r}; {lookup.nearest(option, known)}")
    module: nn.Module = component.build(*given, **options)
    return module
