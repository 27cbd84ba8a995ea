"""Every network component can be built without memory, so a plan is checked before anything is allocated or read."""

from typing import Any

import pytest
import torch

from segda.batch import DOMAINS
from segda.config import lookup
from tests.contracts.test_networks import (
    CHANNELS,
    CLASSES,
    DECODERS,
    DISCRIMINATORS,
    ENCODERS,
    HEADS,
    SAMPLERS,
    STRIDES,
    _build,
)
from tests.contracts.test_rebuilders import REBUILDERS

GIVEN: dict[str, tuple[Any, ...]] = {
    "encoders": (), "heads": (CHANNELS, STRIDES, CLASSES), "decoders": (CHANNELS, STRIDES, DOMAINS),
    "discriminators": (3, CLASSES), "samplers": (DOMAINS,), "rebuilders": (CHANNELS,),
}  # fmt: skip
OPTIONS = {
    "encoders": ENCODERS, "heads": HEADS, "decoders": DECODERS, "discriminators": DISCRIMINATORS, "samplers": SAMPLERS,
    "rebuilders": REBUILDERS,
}  # fmt: skip


@pytest.mark.parametrize("folder", GIVEN)
def test_every_component_can_be_built_without_memory(folder: str) -> None:
    for name in lookup.names(f"segda.networks.{folder}"):
        for options in OPTIONS[folder].get(name, [{}]):
            with torch.device("meta"):
                module = _build(folder, name, options, *GIVEN[folder])
            assert all(parameter.is_meta for parameter in module.parameters()), (name, options)
