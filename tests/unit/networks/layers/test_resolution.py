import pytest
import torch

from segda.errors import ConfigError
from segda.networks.layers.resolution import demand_size, doublings, resized_to_multiple, to_even


def test_doublings_of_powers_of_two() -> None:
    assert [doublings(stride) for stride in (1, 2, 4, 8, 16, 32)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("stride", [0, 3, 12])
def test_other_strides_are_refused(stride: int) -> None:
    with pytest.raises(ConfigError, match=f"output stride of {stride}"):
        doublings(stride)


def test_the_least_size_passes_and_a_pixel_less_does_not() -> None:
    demand_size(torch.zeros(1, 1, 8, 8), 8, "network")
    with pytest.raises(ConfigError, match=r"network: got 8x7 pixels, needs 8x8 or more"):
        demand_size(torch.zeros(1, 1, 8, 7), 8, "network")


def test_odd_rows_and_columns_are_repeated_once() -> None:
    x = torch.arange(6.0).view(1, 1, 2, 3)
    assert to_even(x).tolist() == [[[[0, 1, 2, 2], [3, 4, 5, 5]]]]
    assert to_even(x.transpose(2, 3)).shape == (1, 1, 4, 2)
    even = torch.zeros(1, 1, 2, 4)
    assert to_even(even) is even


def test_sizes_that_divide_stay_and_others_are_enlarged_to_the_next() -> None:
    x = torch.arange(6.0).view(1, 1, 2, 3)
    assert resized_to_multiple(x, 1) is x
    grown = resized_to_multiple(x, 2)
    assert grown.shape == (1, 1, 2, 4)
    # Centres of four columns over three: at -1/8 (held), 5/8, 11/8 and 17/8 (held) of a column.
    assert grown[0, 0, 0].tolist() == pytest.approx([0, 0.625, 1.375, 2])
