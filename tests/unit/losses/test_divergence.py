import torch

from segda.losses.divergence import gaussian_divergence


def test_equals_torchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, 2, 2, generator=generator, dtype=torch.double)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = torch.distributions.kl_divergence(posterior, prior).sum() / 5
    torch.testing.assert_close(gaussian_divergence(mean, log_variance), expected)
