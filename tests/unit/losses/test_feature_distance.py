import torch

from segda.losses.feature_distance import cells_of, feature_distance


def test_each_image_counts_as_much_however_many_positions_it_has() -> None:
    features = torch.tensor([[[[3.0, 0.0]], [[4.0, 2.0]]], [[[1.0, 9.0]], [[0.0, 9.0]]]])
    mask = torch.tensor([[[True, True]], [[True, False]]])
    # (5 + 2) / 2 in the first image, 1 in the second.
    assert feature_distance(features, torch.zeros_like(features), mask).item() == (3.5 + 1) / 2


def test_nothing_to_measure_is_0_with_gradient_0() -> None:
    features = torch.randn(2, 3, 2, 2, requires_grad=True)
    loss = feature_distance(features, torch.zeros_like(features), torch.zeros(2, 2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert not features.grad.any()


def test_equal_features_have_a_finite_gradient() -> None:
    features = torch.randn(1, 3, 2, 2, requires_grad=True)
    feature_distance(features, features.detach().clone(), torch.ones(1, 2, 2, dtype=torch.bool)).backward()
    assert features.grad is not None
    assert not features.grad.any()


def test_the_gradient_is_the_direction_away_from_the_reference() -> None:
    features = torch.tensor([[[[3.0]], [[4.0]]]], requires_grad=True)
    feature_distance(features, torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool)).backward()
    torch.testing.assert_close(features.grad, torch.tensor([[[[0.6]], [[0.8]]]]))


def test_a_position_belongs_to_one_class_that_has_the_share() -> None:
    label = torch.tensor([[[1, 1, 1, 1], [1, 2, 2, 255], [3, 3, 1, 2], [3, 3, 2, 1]]])
    assert cells_of(label, [1, 2], (2, 2), 0.75).tolist() == [[[True, False], [False, False]]]
    assert cells_of(label, [1, 2], (2, 2), 0.5).tolist() == [[[True, True], [False, True]]]
    assert cells_of(label, [3], (2, 2), 1.0).tolist() == [[[False, False], [True, False]]]
