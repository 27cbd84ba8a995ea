import math

import torch

from segda.losses.class_size import log_shares, outside_bounds, predicted_shares


def test_shares_of_probabilities_and_of_predictions() -> None:
    # Two pixels: (0.9, 0.1) and (0.4, 0.6).
    logits = torch.tensor([[0.9, 0.4], [0.1, 0.6]]).log()[None, :, None, :]
    torch.testing.assert_close(log_shares(logits).exp(), torch.tensor([[0.65, 0.35]]))
    torch.testing.assert_close(predicted_shares(logits), torch.tensor([[0.5, 0.5]]))


def test_a_class_without_any_probability_still_has_a_gradient() -> None:
    logits = torch.tensor([0.0, -500.0]).view(1, 2, 1, 1).requires_grad_()
    share = log_shares(logits)[0, 1]
    share.backward()
    assert share.item() == -500
    torch.testing.assert_close(logits.grad.flatten(), torch.tensor([-1.0, 1.0]))


def test_distances_are_logarithms_of_the_ratio_and_0_inside() -> None:
    sizes = torch.tensor([[0.05, 0.2, 0.8]]).log()
    short, excess = outside_bounds(sizes, torch.tensor([0.1, 0.1, 0.1]), torch.tensor([0.4, 0.4, 0.4]))
    torch.testing.assert_close(short, torch.tensor([[math.log(2), 0, 0]]))
    torch.testing.assert_close(excess, torch.tensor([[0, 0, math.log(2)]]))


def test_nan_is_no_bound_and_leaves_no_nan_in_the_gradient() -> None:
    sizes = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    nothing = torch.full((2,), torch.nan)
    short, excess = outside_bounds(sizes, nothing, nothing)
    (short + excess).sum().backward()
    assert short.tolist() == excess.tolist() == [[0.0, 0.0]]
    assert sizes.grad.tolist() == [[0.0, 0.0]]
