from typing import Any

import pytest
import torch
from torch import nn

from segda.errors import ConfigError
from segda.networks import networks
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.networks import Networks

SMALL = {"name": "small", "width": 4, "blocks": 1}
CONFIGS: dict[str, Any] = {
    "classes": 5,
    "encoder": SMALL,
    "head": {"name": "linear"},
    "decoder": {"name": "transposed", "width": 8},
    "sampler": {"name": "coupled", "noise": 7, "width": 1},
    "discriminators": {
        "image": {"name": "patch", "width": 4},
        "feature": {"name": "feature", "width": 4},
        "logits": {"name": "fully_convolutional", "width": 4, "layers": 2},
        "conditional": {"name": "feature", "width": 4},
        "latent": {"name": "feature", "width": 4},
        "pair": {"name": "patch", "width": 4},
        "class_feature": {"name": "class_feature", "width": 4},
    },
    "rebuilder": {"name": "transformer", "width": 8, "heads": 2},
}


def _build(needs: set[str], tied: networks.Tied = True, **changes: Any) -> networks.Networks:
    return networks.build(needs, tied=tied, **{**CONFIGS, **changes})


def test_only_what_is_needed_is_built() -> None:
    assert set(_build(set()).modules) == {"encoder"}
    built = _build({"head", "decoder.target", "discriminator.target"}, tied=False)
    assert set(built.modules) == {"encoder.source", "encoder.target", "head", "decoder", "discriminator.target"}
    assert list(built.modules["decoder"].tails) == ["target"]


def test_everything_together() -> None:
    needs = networks.NEEDS - {"semantic", "detail"}
    built = _build(needs)
    assert set(built.modules) == {
        "encoder", "head", "decoder", "discriminator.feature", "discriminator.logits", "discriminator.source",
        "discriminator.target", "discriminator.conditional", "discriminator.latent", "discriminator.pair",
        "discriminator.class_feature", "sampler", "rebuilder", "posterior", "projection", "lens.source", "lens.target",
    }  # fmt: skip
    image = torch.rand(2, 3, 64, 32) * 2 - 1
    features = built.encode(image, "source")
    assert torch.equal(features[0], image)
    logits = built.classify(features)
    assert logits.shape == (2, 5, 8, 4)
    assert built.decode(features, "target").shape == image.shape
    assert built.discriminate("feature", features[-1]).realness.shape == (2, 1, 8, 4)
    assert built.discriminate("logits", logits).realness.shape == (2, 1, 2, 1)
    assert built.discriminate("source", image).realness.shape == (2, 1, 4, 2)
    assert built.discriminate("pair", torch.cat([image, image], 1)).realness.shape == (2, 1, 4, 2)
    assert built.discriminate("class_feature", features[-1]).semantic.shape == (2, 10, 8, 4)
    rebuilt = built.rebuild(features, torch.ones(2, 8, 4, dtype=torch.bool))
    assert [map.shape for map in rebuilt] == [map.shape for map in features]
    assert built.noise == 7
    assert built.sample(torch.randn(2, 7), "target").shape == (2, 3, 28, 28)
    assert [part.shape for part in built.posterior(features[-1])] == [features[-1].shape] * 2
    vectors = built.project([level.flatten(2).transpose(1, 2)[:, :6] for level in features])
    assert [vector.shape for vector in vectors] == [(2, 6, 256)] * len(features)
    torch.testing.assert_close(vectors[-1].norm(dim=-1), torch.ones(2, 6))
    assert torch.equal(built.lens(image, "source"), image), "a lens begins as glass"


def test_without_a_lens_an_image_is_itself() -> None:
    image = torch.rand(1, 3, 8, 8)
    assert _build(set()).lens(image, "source") is image


def test_an_encoder_that_takes_the_domain_goes_with_partial_ties_only() -> None:
    coupled = {"name": "coupled"}
    image = torch.rand(2, 3, 28, 28)
    built = _build(set(), tied="partly", encoder=coupled)
    assert not torch.equal(built.encode(image, "source")[-1], built.encode(image, "target")[-1])
    with pytest.raises(ConfigError, match="tied: partly"):
        _build(set(), tied=True, encoder=coupled)
    with pytest.raises(ConfigError, match=r"tied: true.*coupled"):
        _build(set(), tied="partly")


def test_tied_domains_share_the_encoder_and_untied_ones_do_not() -> None:
    image = torch.rand(1, 3, 16, 16)
    tied = _build(set())
    assert torch.equal(tied.encode(image, "source")[-1], tied.encode(image, "target")[-1])
    untied = _build(set(), tied=False)
    assert not torch.equal(untied.encode(image, "source")[-1], untied.encode(image, "target")[-1])


@pytest.mark.parametrize(
    ("need", "missing", "key"),
    [
        ("head", {"head": None}, "head"),
        ("decoder.source", {"decoder": None}, "decoder"),
        ("discriminator.source", {"discriminators": None}, "discriminators.image"),
        ("discriminator.logits", {"discriminators": {}}, "discriminators.logits"),
    ],
)
def test_a_need_without_a_configuration_names_the_key_and_the_choice(need: str, missing: Any, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^{key}: none configured.*one of: "):
        _build({need}, **missing)


def test_an_unknown_need_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'decoder.source'"):
        _build({"decoder.sorce"})


def test_semantic_terms_demand_segmenting_image_discriminators() -> None:
    with pytest.raises(ConfigError, match="'patch' does not segment.*semantic_patch"):
        _build({"discriminator.target", "semantic"})
    built = _build(
        {"discriminator.target", "discriminator.feature", "semantic"},
        discriminators={"image": {"name": "semantic_patch", "width": 4}, "feature": {"name": "feature", "width": 4}},
    )
    semantic = built.discriminate("target", torch.zeros(1, 3, 32, 32)).semantic
    assert semantic is not None
    assert semantic.shape == (1, 5, 8, 8)


def test_frozen_networks_neither_learn_nor_leave_evaluation_mode() -> None:
    built = _build({"head"}, tied=False)
    built.train()
    built.freeze(["encoder.source"])
    built.train()
    assert built.trainable() == ["encoder.target", "head"]
    assert not built.modules["encoder.source"].training
    assert built.modules["encoder.target"].training
    image = torch.rand(1, 3, 16, 16)
    before = built.modules["encoder.source"].stride2[1].running_mean.clone()
    built.classify(built.encode(image, "source")).sum().backward()
    assert torch.equal(built.modules["encoder.source"].stride2[1].running_mean, before)
    assert all(parameter.grad is None for parameter in built.modules["encoder.source"].parameters())
    built.train(False)
    assert not any(module.training for module in built.modules.values())


def test_freezing_what_was_not_built_is_refused() -> None:
    with pytest.raises(ConfigError, match="no network 'encoder.source' is built; did you mean 'encoder'"):
        _build(set()).freeze(["encoder.source"])


@pytest.mark.parametrize(("tied", "name"), [(True, "encoder"), ("partly", "encoder"), (False, "encoder.target")])
def test_hidden_pixels_are_zero_to_an_encoder_that_normalises_and_grey_to_others(tied: Any, name: str) -> None:
    image = torch.rand(2, 3, 4, 4, dtype=torch.float64) * 2 - 1
    kept = torch.arange(4).view(1, 1, 1, 4).expand(2, 1, 4, 4) > 1
    norm = ImagenetNorm(mean=(0.5, 0.4, 0.3))
    for encoder, colour in ((nn.Sequential(nn.Sequential(norm)), (0.0, -0.2, -0.4)), (nn.Identity(), (0.0,) * 3)):
        others = {"encoder.source": nn.Sequential(ImagenetNorm())} if tied is False else {}
        seen = Networks({**others, name: encoder}, tied).masked(image, kept, "target")
        assert seen.dtype == image.dtype
        assert torch.equal(seen[..., 2:], image[..., 2:])
        expected = torch.tensor(colour, dtype=image.dtype).view(3, 1, 1).expand(2, 3, 4, 2)
        torch.testing.assert_close(seen[..., :2], expected, atol=1e-7, rtol=0)
