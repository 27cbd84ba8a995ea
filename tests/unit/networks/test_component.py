import pytest

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
        ({"name": "linaer"}, "unknown heads name 'linaer'; did you mean 'linear'"),
        ({"name": "linear", "kernal": 3}, "networks.head: linear has no option 'kernal'; did you mean 'kernel'"),
        ({"name": "linear", "classes": 3}, "networks.head: linear has no option 'classes'"),
    ],
)
def test_what_is_wrong_is_named(config: dict[str, object] | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        component.build("head", config, "networks.head", (3, 8), (1, 4), 5)
