import torch

from segda.objectives import draw
from segda.seeds import derive_seed


def test_a_draw_depends_on_seed_purpose_and_position_alone() -> None:
    position = torch.tensor([3, 1, 2])
    whole = draw.uniform(0, "mixing", position)
    torch.testing.assert_close(whole[1:2], draw.uniform(0, "mixing", torch.tensor([1])))
    torch.testing.assert_close(whole, draw.uniform(0, "mixing", position))
    assert ((whole >= 0) & (whole < 1)).all()
    assert not torch.equal(whole, draw.uniform(1, "mixing", position))
    assert not torch.equal(whole, draw.uniform(0, "pool", position))
    assert len(whole.unique()) == 3
    grid = draw.uniform(0, "mixing", position, (1, 4, 5))
    assert grid.shape == (3, 1, 4, 5)
    torch.testing.assert_close(grid[:2], draw.uniform(0, "mixing", position[:2], (1, 4, 5)))


def test_draws_neither_read_nor_move_torchs_own_generator() -> None:
    before = torch.get_rng_state()
    draw.uniform(0, "mixing", torch.arange(4))
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_are_spread_evenly() -> None:
    values = draw.uniform(0, "mixing", torch.arange(2000))
    assert abs(values.mean() - 0.5) < 0.03
    assert torch.histc(values, 4, 0, 1).min() > 430


def test_the_same_on_every_machine() -> None:
    assert derive_seed(7, "mixing") == 8947243615693663630
