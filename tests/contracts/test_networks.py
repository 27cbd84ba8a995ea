"""What every network component keeps to, whatever is inside; a new file in a component folder is tested as it is."""

import copy
import socket
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda import lookup
from segda.errors import ConfigError

# Options that make a component small, and variants that deserve the same tests; others are tested with their defaults.
ENCODERS: dict[str, list[dict[str, Any]]] = {
    "dilated_resnet": [{"depth": 18}],
    "dilated_densenet": [{}],
    "smp": [{}, {"output_stride": 8}, {"encoder": "resnet18", "depth": 3}, {"encoder": "mit_b0"}],
    "small": [{"width": 4, "norm": norm} for norm in ("batch", "instance", "group", "none")],
    "translator": [{"width": 4, "blocks": 1}, {"width": 4, "blocks": 1, "norm": "none"}],
}
HEADS: dict[str, list[dict[str, Any]]] = {
    "linear": [{}, {"kernel": 3}],
    "small": [{"width": 4}, {"width": 4, "norm": "none"}],
    "smp": [{"options": {"out_channels": 16}}, {"decoder": "unet"}],
}
DECODERS: dict[str, list[dict[str, Any]]] = {
    "transposed": [{"width": 8, "norm": norm} for norm in ("batch", "instance", "group", "none")],
    "translator": [{"blocks": 1}, {"blocks": 1, "residual": True, "upsample": "nearest"}],
}
DISCRIMINATORS: dict[str, list[dict[str, Any]]] = {
    "patch": [{"width": 4}, {"width": 4, "norm": "none", "layers": 3}],
    "patch70": [{"width": 4}],
    "semantic_patch": [{"width": 4}, {"width": 4, "resolution": "full"}],
    "feature": [{"width": 8}],
    "fully_convolutional": [{"width": 4, "layers": 3}],
}
CLASSES = 5
# The pyramid of the small encoder, for what follows an encoder.
CHANNELS, STRIDES = (3, 4, 8, 16), (1, 2, 4, 8)


def _cases(folder: str, options: dict[str, list[dict[str, Any]]]) -> list[Any]:
    """One case for every file of a component folder and every variant of its options."""
    return [
        pytest.param(name, variant, id=f"{name}-{variant}")
        for name in lookup.names(f"segda.networks.{folder}")
        for variant in options.get(name, [{}])
    ]


def _build(folder: str, name: str, options: dict[str, Any], *given: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return lookup.module(f"segda.networks.{folder}", name).build(*given, **options)


def _features(height: int = 48, width: int = 64, batch: int = 2) -> list[Tensor]:
    """A random pyramid as the small encoder gives it."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.rand(batch, channels, -(-height // stride), -(-width // stride), generator=generator) * 2 - 1
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def _image(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1


def _assert_every_parameter_learns(module: nn.Module, call: Callable[[], Tensor]) -> None:
    """Every parameter that asks for a gradient gets one that is not zero, from any initialisation."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    output = call()
    (output * torch.randn(output.shape, generator=generator)).sum().backward()
    still = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert not still


def _assert_kept(build: Callable[[int], nn.Module], call: Callable[[Any], Tensor]) -> None:
    """Seed, state dict and deep copy each fix the network; evaluation repeats itself."""
    first, again, other = build(0).eval(), build(0).eval(), build(1).eval()
    with torch.no_grad():
        expected = call(first)
        assert torch.equal(call(first), expected)
        assert torch.equal(call(again), expected)
        assert torch.equal(call(copy.deepcopy(first)), expected)
        assert any(
            not torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True)
        )
        other.load_state_dict(first.state_dict())
        assert torch.equal(call(other), expected)


@pytest.mark.parametrize(("name", "options"), _cases("encoders", ENCODERS))
class TestEncoder:
    @pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 39)])
    def test_channels_and_strides_are_the_truth(self, name: str, options: Any, size: tuple[int, int]) -> None:
        encoder = _build("encoders", name, options).eval()
        image = _image(*size, batch=1)
        try:
            with torch.no_grad():
                features = encoder(image)
        except ConfigError:
            if size == (64, 96):
                raise
            with pytest.raises(ConfigError, match="multiples of 32"):
                encoder(image)
            return
        assert features[0] is image
        assert (encoder.channels[0], encoder.strides[0]) == (3, 1)
        assert list(encoder.strides) == sorted(encoder.strides)
        assert len(features) == len(encoder.channels) == len(encoder.strides)
        for feature, channels, stride in zip(features, encoder.channels, encoder.strides, strict=True):
            assert feature.shape[1] == channels
            if channels:
                assert feature.shape == (1, channels, -(-size[0] // stride), -(-size[1] // stride))

    def test_it_is_kept_by_seed_and_state(self, name: str, options: Any) -> None:
        image = _image(32, 64)
        _assert_kept(lambda seed: _build("encoders", name, options, seed=seed), lambda encoder: encoder(image)[-1])

    def test_every_parameter_learns_through_z(self, name: str, options: Any) -> None:
        encoder = _build("encoders", name, options).train()
        _assert_every_parameter_learns(encoder, lambda: encoder(_image(64, 64))[-1])

    def test_a_sample_does_not_see_the_others_in_evaluation(self, name: str, options: Any) -> None:
        encoder = _build("encoders", name, options).eval()
        image = _image(32, 32)
        with torch.no_grad():
            both, alone = encoder(image)[-1][:1], encoder(image[:1])[-1]
        assert torch.allclose(both, alone, atol=1e-4 * float(both.abs().max()))

    def test_nothing_is_downloaded(self, name: str, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*arguments: Any) -> None:
            pytest.fail("tried to connect")

        monkeypatch.setattr(socket.socket, "connect", offline)
        monkeypatch.setattr(socket, "getaddrinfo", offline)
        _build("encoders", name, options)


@pytest.mark.parametrize(("name", "options"), _cases("heads", HEADS))
class TestHead:
    def test_logits_for_every_class(self, name: str, options: Any) -> None:
        logits = _build("heads", name, options, CHANNELS, STRIDES, CLASSES)(_features())
        assert logits.shape[:2] == (2, CLASSES)
        # The task upsamples: any resolution is fine that keeps the image's shape and is not coarser than z.
        assert logits.shape[-2] * 64 == logits.shape[-1] * 48
        assert logits.shape[-2] >= 6

    def test_it_is_kept_by_seed_and_state(self, name: str, options: Any) -> None:
        features = _features()
        _assert_kept(
            lambda seed: _build("heads", name, options, CHANNELS, STRIDES, CLASSES, seed=seed),
            lambda head: head(features),
        )

    def test_every_parameter_learns_and_z_too(self, name: str, options: Any) -> None:
        head = _build("heads", name, options, CHANNELS, STRIDES, CLASSES).train()
        features = _features()
        features[-1].requires_grad_()
        _assert_every_parameter_learns(head, lambda: head(features))
        assert features[-1].grad is not None
        assert features[-1].grad.any()

    def test_it_leaves_the_features_alone(self, name: str, options: Any) -> None:
        features = _features()
        before = [feature.clone() for feature in features]
        _build("heads", name, options, CHANNELS, STRIDES, CLASSES)(features)
        assert len(features) == len(before)
        assert all(torch.equal(one, two) for one, two in zip(features, before, strict=True))


@pytest.mark.parametrize(("name", "options"), _cases("decoders", DECODERS))
class TestDecoder:
    @pytest.mark.parametrize("size", [(48, 64), (65, 97)])
    def test_images_of_the_input_size_in_range(self, name: str, options: Any, size: tuple[int, int]) -> None:
        decoder = _build("decoders", name, options, CHANNELS, STRIDES, ("source", "target"))
        for domain in ("source", "target"):
            image = decoder(_features(*size), domain)
            assert image.shape == (2, 3, *size)
            assert image.abs().max() <= 1

    @pytest.mark.parametrize("domains", [("source",), ("target",), ("source", "target")])
    def test_every_parameter_learns_whatever_domains_are_built(
        self, name: str, options: Any, domains: tuple[str, ...]
    ) -> None:
        decoder = _build("decoders", name, options, CHANNELS, STRIDES, domains).train()
        features = _features()
        _assert_every_parameter_learns(decoder, lambda: sum(decoder(features, domain) for domain in domains))

    def test_it_is_kept_by_seed_and_state(self, name: str, options: Any) -> None:
        features = _features()
        _assert_kept(
            lambda seed: _build("decoders", name, options, CHANNELS, STRIDES, ("target",), seed=seed),
            lambda decoder: decoder(features, "target"),
        )


@pytest.mark.parametrize(("name", "options"), _cases("discriminators", DISCRIMINATORS))
class TestDiscriminator:
    def test_raw_scores_and_class_logits_where_it_says_so(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES)
        realness, semantic = discriminator(_image(48, 64))
        assert realness.shape[:2] == (2, 1)
        assert discriminator.semantic == (semantic is not None)
        if semantic is not None:
            assert semantic.shape[:2] == (2, CLASSES)

    def test_every_parameter_learns(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES).train()

        def call() -> Tensor:
            judgement = discriminator(_image(48, 64))
            return torch.cat([answer.flatten() for answer in judgement if answer is not None])

        _assert_every_parameter_learns(discriminator, call)

    def test_a_gradient_penalty_can_be_taken(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES)
        image = _image(48, 64).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(image).realness.sum(), image, create_graph=True)
        assert slope.any()
        slope.square().sum().backward()
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in discriminator.parameters())

    def test_a_sample_does_not_see_the_others_even_in_training(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES).train()
        image = _image(48, 64)
        assert torch.allclose(discriminator(image).realness[:1], discriminator(image[:1]).realness, atol=1e-5)

    def test_it_is_kept_by_seed_and_state(self, name: str, options: Any) -> None:
        image = _image(48, 64)
        _assert_kept(
            lambda seed: _build("discriminators", name, options, 3, CLASSES, seed=seed),
            lambda discriminator: discriminator(image).realness,
        )
