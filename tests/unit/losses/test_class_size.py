import torch

from segda.losses.class_size import log_shares, outside_bounds


def test_a_class_without_any_probability_still_has_a_gradient() -> None:
    logits = torch.tensor([0.0, -500.0]).view(1, 2, 1, 1).requires_grad_()
    share = log_shares(logits)[0, 1]
    share.backward()
    assert share.item() == -500
    torch.testing.assert_close(logits.grad.flatten(), torch.tensor([-1.0, 1.0]))


def test_nan_is_no_bound_and_leaves_no_nan_in_the_gradient() -> None:
    sizes = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    nothing = torch.full((2,), torch.nan)
    short, excess = outside_bounds(sizes, nothing, nothing)
    (short + excess).sum().backward()
    assert short.tolist() == excess.tolist() == [[0.0, 0.0]]
    assert sizes.grad.tolist() == [[0.0, 0.0]]
