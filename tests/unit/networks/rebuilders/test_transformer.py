import math

import pytest
import torch

from segda.errors import ConfigError
from segda.networks.rebuilders.transformer import build, positions


def test_rows_and_columns_have_sines_and_cosines_at_two_rates() -> None:
    vectors = positions((2, 3), torch.zeros(8))
    assert vectors.shape == (6, 8)
    row, column = 1.0, 2.0
    expected = [
        function(place / rate) for place in (row, column) for function in (math.sin, math.cos) for rate in (1, 100)
    ]
    torch.testing.assert_close(vectors[-1], torch.tensor(expected))


def test_what_is_masked_is_rebuilt_otherwise_in_another_place() -> None:
    rebuilder, z = build((3, 4), width=8, heads=2), torch.randn(1, 4, 1, 1).expand(1, 4, 2, 2)
    rebuilt = rebuilder([torch.zeros(1, 3, 2, 2), z], torch.ones(1, 2, 2, dtype=torch.bool))[-1]
    assert not torch.allclose(rebuilt[..., 0, 0], rebuilt[..., 1, 1])


def test_a_coarse_grid_hides_all_below_its_positions() -> None:
    rebuilder, z = build((3, 4), width=8, heads=2), torch.randn(1, 4, 8, 8)
    masked = torch.tensor([[[True, False], [False, False]]])
    changed = (rebuilder([torch.zeros(1, 3, 8, 8), z], masked)[-1] != z).any(dim=1)[0]
    assert changed[:4, :4].all()
    assert changed.sum() == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 6, "heads": 2}, "width is 6"), ({"width": 8, "heads": 3}, "width is 8"), ({"blocks": 0}, "blocks"),
        ({"levels": 2}, "levels is 2, but the encoder has 1 maps"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit_are_named(options: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=f"rebuilder transformer.*{message}"):
        build((3, 4), **options)
