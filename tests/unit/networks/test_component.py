import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from segda.config import lookup
from segda.errors import ConfigError
from segda.networks import component


def test_options_and_what_the_code_gives_meet_in_build() -> None:
    head = component.build("head", {"name": "linear", "kernel": 3}, "head", (3, 8), (1, 4), 5)
    assert head.classifier.kernel_size == (3, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "networks.head: none configured, .* one of: .*linear"),
        ({"kernel": 3}, "networks.head: none configured"),
        ({"name": "linaer"}, "unknown head 'linaer'; did you mean 'linear'"),
        ({"name": "linear", "kernal": 3}, "networks.head: linear has no option 'kernal'; did you mean 'kernel'"),
        ({"name": "linear", "classes": 3}, "networks.head: linear has no option 'classes'"),
    ],
)
def test_what_is_wrong_is_named(config: dict[str, object] | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        component.build("head", config, "networks.head", (3, 8), (1, 4), 5)


COUNTS = ("width", "blocks", "layers", "levels", "growth", "hidden")
GIVEN: dict[str, dict[str, Any]] = {
    "encoder": {},
    "head": {"channels": (3, 8, 16), "strides": (1, 2, 4), "classes": 3},
    "decoder": {"channels": (3, 8, 16), "strides": (1, 2, 4), "domains": ("target",)},
    "discriminator": {"channels": 3, "classes": 3},
    "sampler": {"domains": ("source", "target")},
}


def counts() -> Iterator[tuple[str, str, str]]:
    """Every option of a network that is a number of layers or features."""
    for kind in GIVEN:
        for name in lookup.names(f"segda.networks.{kind}s"):
            signature = inspect.signature(lookup.module(f"segda.networks.{kind}s", name).build)
            yield from ((kind, name, option) for option in COUNTS if option in signature.parameters)


@pytest.mark.parametrize(("kind", "name", "option"), counts())
def test_numbers_of_layers_and_features_below_the_least_are_refused(kind: str, name: str, option: str) -> None:
    options: dict[str, Any] = {option: -1}
    if name == "bottleneck":
        options["encoder"] = {"name": "small"}
    if name == "hrda":
        options["head"] = {"name": "linear"}
    with pytest.raises(ConfigError, match=rf"^{kind} {name}: {option} is -1; expected at least [012]$"):
        lookup.module(f"segda.networks.{kind}s", name).build(**GIVEN[kind], **options)
