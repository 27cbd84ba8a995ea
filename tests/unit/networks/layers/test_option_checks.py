import pytest
import torch

from segda.errors import ConfigError
from segda.networks.layers.option_checks import demand_at_least, demand_counts, demand_probability, demand_square


def test_the_option_that_is_too_small_is_named() -> None:
    demand_at_least("encoder e", 1, width=1, levels=2)
    with pytest.raises(ConfigError, match="encoder e: levels is 0; expected at least 1"):
        demand_at_least("encoder e", 1, width=1, levels=0)


@pytest.mark.parametrize("counts", [[], [4, 0], [-1]])
def test_layers_without_features_are_refused(counts: list[int]) -> None:
    demand_counts("encoder e", "widths", [1, 2])
    demand_counts("encoder e", "widths", [], least=0)
    with pytest.raises(ConfigError, match="encoder e: widths is .* expected 1 or more entries, each at least 1"):
        demand_counts("encoder e", "widths", counts)


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_outside_its_range_is_refused(value: float) -> None:
    demand_probability("head h", "dropout", 0.0)
    demand_probability("head h", "dropout", 0.99)
    with pytest.raises(ConfigError, match="head h: dropout is .* expected at least 0 and less than 1"):
        demand_probability("head h", "dropout", value)


@pytest.mark.parametrize("size", [(28, 27), (56, 28), (14, 14)])
def test_both_sizes_are_named(size: tuple[int, int]) -> None:
    demand_square(torch.zeros(1, 1, 28, 28), 28, "encoder e", "resize")
    with pytest.raises(ConfigError, match=f"encoder e: got {size[0]}x{size[1]}, .* 28x28 alone; resize"):
        demand_square(torch.zeros(1, 1, *size), 28, "encoder e", "resize")
