import pytest
import torch

from segda.errors import ConfigError
from segda.networks.layers.normalisation import freeze_running_statistics, has_bias, normalisation


def test_instance_norm_gives_each_map_zero_mean_and_unit_variance() -> None:
    y = normalisation("instance", 4)(torch.randn(2, 4, 8, 8) * 3 + 5)
    assert y.mean(dim=(2, 3)).abs().max() < 1e-5
    assert (y.var(dim=(2, 3), unbiased=False) - 1).abs().max() < 1e-3


def test_instance_norm_lets_a_single_pixel_pass() -> None:
    x = torch.randn(2, 4, 1, 1)
    assert torch.equal(normalisation("instance", 4)(x), x)


@pytest.mark.parametrize("channels", [3, 4, 12, 64])
def test_group_norm_takes_any_number_of_channels(channels: int) -> None:
    assert normalisation("group", channels)(torch.randn(1, channels, 4, 4)).shape == (1, channels, 4, 4)


def test_none_changes_nothing_and_is_the_only_one_with_a_bias() -> None:
    x = torch.randn(1, 3, 2, 2)
    assert torch.equal(normalisation("none", 3)(x), x)
    assert [has_bias(norm) for norm in ("batch", "instance", "group", "layer", "none")] == [False] * 4 + [True]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="'spectral'; valid: batch, instance, group, layer, none"):
        normalisation("spectral", 3)  # type: ignore[arg-type]


def test_frozen_statistics_stay_while_scale_and_shift_learn() -> None:
    norm = normalisation("batch", 3)
    freeze_running_statistics(norm)
    norm(torch.randn(4, 3, 2, 2) + 7).sum().backward()
    assert torch.equal(norm.running_mean, torch.zeros(3))
    assert norm.bias.grad is not None


def test_layer_norm_uses_all_of_a_sample_and_nothing_else() -> None:
    x = torch.randn(2, 6, 1, 1) * 3 + 5
    norm = normalisation("layer", 6)
    y = norm(x)
    assert y.mean(dim=1).abs().max() < 1e-5
    assert (y.var(dim=1, unbiased=False) - 1).abs().max() < 1e-3
    assert torch.allclose(norm(x[:1]), y[:1], atol=1e-6)


def test_batch_norm_of_one_value_names_the_remedy() -> None:
    norm = normalisation("batch", 3)
    with pytest.raises(ConfigError, match="one sample of one pixel; use 2 or more samples a process, or norm: layer"):
        norm(torch.zeros(1, 3, 1, 1))
    assert norm(torch.zeros(2, 3, 1, 1)).shape == (2, 3, 1, 1)
    assert norm(torch.zeros(1, 3, 1, 2)).shape == (1, 3, 1, 2)
    assert norm.eval()(torch.zeros(1, 3, 1, 1)).shape == (1, 3, 1, 1)
