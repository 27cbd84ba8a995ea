import math

import pytest
import torch

from segda.losses.divergence import gaussian_divergence


def test_the_prior_itself_is_at_no_distance() -> None:
    assert gaussian_divergence(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4)) == 0


def test_values_by_hand_summed_over_components_and_averaged_over_images() -> None:
    mean = torch.tensor([[[[2.0]], [[0.0]]], [[[0.0]], [[0.0]]]])
    log_variance = torch.tensor([[[[0.0]], [[math.log(4.0)]]], [[[0.0]], [[0.0]]]])
    # First image: 1/2 (4 + 1 - 0 - 1) + 1/2 (0 + 4 - log 4 - 1); second: 0.
    expected = (2 + (3 - math.log(4)) / 2 + 0) / 2
    assert gaussian_divergence(mean, log_variance).item() == pytest.approx(expected)


def test_equals_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, 2, 2, generator=generator, dtype=torch.double)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum() / 5
    torch.testing.assert_close(gaussian_divergence(mean, log_variance), expected)
