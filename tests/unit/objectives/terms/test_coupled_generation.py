import pytest
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.coupled_generation import CoupledGeneration
from tests.equivalence import setting


def forward_pass() -> tuple[ForwardPass, dict[str, nn.Module]]:
    config = setting.method("cogan")
    networks = setting.networks(config)
    return setting.objective_of(config, networks).forward(setting.batch(), 0.0), networks.modules


def test_parts_of_weight_0_are_absent() -> None:
    p, modules = forward_pass()
    CoupledGeneration(1.0, class_weight=0.0, feature_weight=0.0).discriminator(p).backward()
    assert all(parameter.grad is None for parameter in modules["head"].parameters())
    assert all(parameter.grad is not None for parameter in modules["encoder"].parameters())


def test_features_that_another_term_has_cached_from_a_frozen_encoder_are_not_used() -> None:
    def gradients(cached: bool) -> list[Tensor | None]:
        p, modules = forward_pass()
        modules["encoder"].requires_grad_(False)
        if cached:
            p.features("source")
        CoupledGeneration(1.0).generator(p)
        modules["encoder"].requires_grad_(True)
        CoupledGeneration(1.0).discriminator(p).backward()
        return [parameter.grad for parameter in modules["encoder"].parameters()]

    for with_cache, without in zip(gradients(True), gradients(False), strict=True):
        assert with_cache is not None
        assert without is not None
        assert with_cache.equal(without)


def test_clipping_holds_for_the_whole_critic() -> None:
    assert CoupledGeneration(1.0, loss="wgan").clipped() == {"encoder": 0.01, "discriminator.feature": 0.01}
    assert CoupledGeneration(1.0).clipped() == {}


@pytest.mark.parametrize("option", ["class_weight", "feature_weight"])
def test_negative_weights_are_named(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"coupled_generation\.{option}: found -1"):
        CoupledGeneration(1.0, **{option: -1.0})
