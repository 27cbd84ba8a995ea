import torch

from segda.networks.posterior import LOG_VARIANCE, Posterior


def test_each_position_is_computed_by_itself() -> None:
    posterior, z = Posterior(4), torch.randn(1, 4, 2, 2)
    together = posterior(z)
    alone = posterior(z[..., 1:, 1:])
    for one, two in zip(together, alone, strict=True):
        torch.testing.assert_close(one[..., 1:, 1:], two)


def test_log_variances_stay_in_range_however_large_z_is() -> None:
    posterior = Posterior(4)
    mean, log_variance = posterior(1e6 * torch.randn(8, 4, 1, 1))
    assert float(mean.abs().max()) > 100
    assert float(log_variance.min()) == LOG_VARIANCE[0]
    assert float(log_variance.max()) == LOG_VARIANCE[1]
    assert torch.isfinite(log_variance.exp()).all()
