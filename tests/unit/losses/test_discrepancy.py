import math

import pytest
import torch
from torch import Tensor

from segda.losses import discrepancy

ALL = [discrepancy.coral, discrepancy.linear_mmd, discrepancy.mmd]


def samples(count: int, seed: int, size: int = 3) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_covariance_is_the_one_of_torch() -> None:
    x = samples(7, 0)
    torch.testing.assert_close(discrepancy.covariance(x), x.T.cov())


def test_coral_is_invariant_to_shifts_and_linear_mmd_to_everything_else() -> None:
    x = samples(6, 0)
    assert discrepancy.coral(x, x + 5).item() == pytest.approx(0, abs=1e-12)
    assert discrepancy.linear_mmd(x, x + 5).item() == pytest.approx(3 * 25)
    centred = x - x.mean(dim=0)
    assert discrepancy.linear_mmd(centred, 2 * centred).item() == pytest.approx(0, abs=1e-12)
    assert discrepancy.coral(centred, 2 * centred).item() > 0.01


def test_mmd_is_unbiased_and_grows_with_the_distance() -> None:
    same = torch.stack([discrepancy.mmd(samples(8, seed), samples(12, 100 + seed)) for seed in range(200)])
    assert abs(same.mean()) < 4 * same.std() / math.sqrt(200)
    shifted = [discrepancy.mmd(samples(8, 0), samples(12, 1) + shift).item() for shift in (0.5, 1.0, 2.0)]
    assert shifted == sorted(shifted)
    assert shifted[0] > same.mean()


@pytest.mark.parametrize("distance", ALL)
def test_is_symmetric_and_does_not_depend_on_the_order_of_samples(distance: object) -> None:
    x, y = samples(4, 0), samples(6, 1) * 2
    torch.testing.assert_close(distance(x, y), distance(y, x))
    torch.testing.assert_close(distance(x, y), distance(x.flip(0), y.roll(2, 0)))


@pytest.mark.parametrize("distance", [discrepancy.coral, discrepancy.linear_mmd])
def test_gradients_are_those_of_finite_differences(distance: object) -> None:
    assert torch.autograd.gradcheck(distance, (samples(4, 0).requires_grad_(), samples(5, 1).requires_grad_()))


def test_gradient_of_mmd_is_by_hand_with_fixed_widths() -> None:
    x, y = samples(4, 0).requires_grad_(), samples(5, 1).requires_grad_()
    points = torch.cat([x, y])
    squared = (points[:, None] - points[None]).square().sum(-1)
    scale = squared.mean().detach()
    total = sum(torch.exp(-squared / (2 * factor * scale)) for factor in (1 / 8, 1 / 4, 1 / 2, 1, 2))
    off_diagonal = ~torch.eye(4, dtype=torch.bool), ~torch.eye(5, dtype=torch.bool)
    expected = total[:4, :4][off_diagonal[0]].mean() + total[4:, 4:][off_diagonal[1]].mean() - 2 * total[:4, 4:].mean()
    loss = discrepancy.mmd(x, y)
    torch.testing.assert_close(loss, expected)
    for ours, theirs in zip(torch.autograd.grad(loss, [x, y]), torch.autograd.grad(expected, [x, y]), strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.abs().sum() > 0


@pytest.mark.parametrize("distance", ALL)
def test_equal_samples_give_zero_and_finite_gradients(distance: object) -> None:
    x, y = torch.ones(3, 2, requires_grad=True), torch.ones(4, 2, requires_grad=True)
    loss = distance(x, y)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(y.grad).all()


def test_far_from_the_origin_mmd_is_the_same() -> None:
    x, y = samples(4, 0), samples(5, 1)
    torch.testing.assert_close(
        discrepancy.mmd(x.float() + 1000, y.float() + 1000).double(), discrepancy.mmd(x, y), rtol=1e-3, atol=1e-3
    )


def test_linear_time_mmd_by_hand() -> None:
    # Two quadruples: source 0, 1 with 2, 3 and target 5, 7 with 9, 4; the fifth source sample is not used.
    source = torch.tensor([[0.0], [1.0], [2.0], [3.0], [99.0]])
    target = torch.tensor([[5.0], [7.0], [9.0], [4.0]])
    within_source, within_target = (4, 4), (16, 9)  # 0-2, 1-3; 5-9, 7-4
    across, back = (81, 9), (9, 16)  # 0-9, 1-4; 2-5, 3-7
    scale = sum((*within_source, *within_target, *across, *back)) / 8

    def kernel(pairs: tuple[int, int]) -> float:
        return sum(math.exp(-x / (2 * factor * scale)) for x in pairs for factor in (1 / 8, 1 / 4, 1 / 2, 1, 2)) / 2

    expected = kernel(within_source) + kernel(within_target) - kernel(across) - kernel(back)
    assert discrepancy.linear_time_mmd(source, target).item() == pytest.approx(expected, rel=1e-5)


def test_linear_time_mmd_is_unbiased_even_where_neighbours_are_equal() -> None:
    def images(seed: int) -> Tensor:
        return samples(8, seed).repeat_interleave(4, dim=0)  # four equal positions in each image

    values = torch.stack([discrepancy.linear_time_mmd(images(seed), images(1000 + seed)) for seed in range(300)])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(300)
