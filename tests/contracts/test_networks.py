"""What holds for every network component; a new file in a component folder is tested without being listed here."""

import copy
import socket
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.batch import DOMAINS
from segda.config import lookup
from segda.errors import ConfigError

# Options that make a component small, and variants to test as well; other components are tested with their defaults.
ENCODERS: dict[str, list[dict[str, Any]]] = {
    "dilated_resnet": [{"depth": 18}],
    "dilated_densenet": [{}],
    "smp": [{}, {"output_stride": 8}, {"encoder": "resnet18", "depth": 3}, {"encoder": "mit_b0"}],
    "vit": [{"model": "test_vit"}, {"model": "test_vit", "train": "lora", "rank": 2}],
    "small": [{"width": 4, "norm": norm} for norm in ("batch", "instance", "group", "layer", "none")],
    "translator": [
        {"width": 4, "blocks": 1},
        {"width": 4, "blocks": 1, "norm": "none"},
        {"width": 4, "blocks": 0, "norm": "batch", "grey": True, "padding": "zeros", "initialisation": "glorot"},
    ],
    "lenet": [{"width": 4}, {"width": 4, "grey": True, "norm": "layer"}],
    "classic_lenet": [{"features": [4, 6], "hidden": 16}, {"size": 32, "hidden": 16, "grey": True}],
    "two_convolutions": [{"features": [4, 6], "hidden": 16}, {"size": 16, "hidden": 16, "grey": True}],
    "densenet": [
        {"depth": 10, "growth": 4},
        {"depth": 10, "growth": 4, "grey": True, "bottleneck": True, "compression": 0.5},
        {"depth": 9, "growth": 4, "blocks": 4, "stem_stride": 2},
    ],
    "mlp": [{}, {"widths": [8, 4], "norm": "layer", "activation": "tanh"}],
    "unet": [{"width": 4, "levels": 3}, {"width": 4, "levels": 4, "norm": "none"}],
    "coupled": [{"features": [4, 6], "hidden": 16}, {"size": 32, "hidden": 16, "grey": True}],
    "bottleneck": [
        {"encoder": {"name": "small", "width": 4}, "width": 6},
        {"encoder": {"name": "lenet", "width": 4}, "width": 6, "norm": "batch"},
    ],
}
# Encoders that end in fully connected layers take images of one size: that of their options, or this.
FIXED_SIZES = {"classic_lenet": 28, "two_convolutions": 28, "coupled": 28, "mlp": 1}
# Encoders whose last map is one pixel, whatever the image.
POOLING = {"bottleneck"}
HEADS: dict[str, list[dict[str, Any]]] = {
    "linear": [{}, {"kernel": 3}, {"glorot": True}],
    "small": [{"width": 4}, {"width": 4, "norm": "none"}],
    "smp": [{"options": {"out_channels": 16}}, {"decoder": "unet"}],
    "daformer": [{"width": 8}, {"width": 8, "norm": "none", "dropout": 0.0}],
    "light": [{}, {"width": 6}],
    "hrda": [{"head": {"name": "small", "width": 4}, "width": 4}],
    "pooled": [{}, {"width": 6}, {"width": 6, "norm": "batch"}],
    "flat": [{"side": 6}, {"side": 6, "width": 6}],
}
# Heads that give one class for the whole image.
IMAGE_HEADS = {"pooled", "flat"}
DECODERS: dict[str, list[dict[str, Any]]] = {
    "transposed": [{"width": 8, "norm": norm} for norm in ("batch", "instance", "group", "layer", "none")]
    + [{"width": 8, "grey": True}],
    "translator": [
        {"blocks": 1},
        {"blocks": 1, "residual": True, "upsample": "nearest"},
        {"blocks": 1, "residual": True, "grey": True},
        {"blocks": 0, "norm": "batch", "grey": True, "padding": "zeros", "initialisation": "glorot"},
    ],
    "flat": [{"features": [8, 4]}, {"features": [8, 4], "grey": True, "norm": "none", "shared_layers": 0}],
    "unet": [{"dropout": 0.0}, {"dropout": 0.0, "grey": True, "norm": "instance"}],
}
# Decoders of a z of one pixel make images of one size.
ONE_PIXEL_DECODERS = {"flat": 28}
DISCRIMINATORS: dict[str, list[dict[str, Any]]] = {
    "patch": [{"width": 4}, {"width": 4, "norm": "none", "layers": 3}, {"width": 4, "grey": True}],
    # With batch normalisation, as in the tutorial, scores depend on the other samples.
    "patch34": [{"width": 4, "norm": "instance"}, {"width": 4, "norm": "layer", "grey": True}],
    "patch70": [{"width": 4}],
    "semantic_patch": [{"width": 4}, {"width": 4, "resolution": "full"}],
    "feature": [{"width": 8}],
    "fully_convolutional": [{"width": 4, "layers": 3}],
    "class_feature": [{"width": 8}],
    "fully_connected": [{"widths": [8], "side": 48}, {"widths": [8, 8], "side": 48, "norm": "layer", "glorot": True}],
}
SAMPLERS: dict[str, list[dict[str, Any]]] = {"coupled": [{"width": 4, "noise": 6}, {"width": 4, "grey": True}]}
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


def _build(folder: str, name: str, options: dict[str, Any], *arguments: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return lookup.module(f"segda.networks.{folder}", name).build(*arguments, **options)


def _features(height: int = 48, width: int = 64, batch: int = 2) -> list[Tensor]:
    """A random pyramid as the small encoder gives it."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.rand(batch, channels, -(-height // stride), -(-width // stride), generator=generator) * 2 - 1
        for channels, stride in zip(CHANNELS, STRIDES, strict=True)
    ]


def _image(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1


def _noise(length: int) -> Tensor:
    return torch.randn(2, length, generator=torch.Generator().manual_seed(4))


def _size(name: str, options: dict[str, Any], height: int, width: int) -> tuple[int, int]:
    """The size at which an encoder is tested: this, unless it takes only one."""
    if name in FIXED_SIZES:
        side = options.get("size", FIXED_SIZES[name])
        return side, side
    return height, width


def _domains(name: str) -> tuple[str, ...]:
    """The domains that an encoder can be called with; none where it takes the image only."""
    return DOMAINS if getattr(lookup.module("segda.networks.encoders", name), "PER_DOMAIN", False) else ()


def _encode(name: str, encoder: nn.Module, image: Tensor) -> list[Tensor]:
    """The pyramid, of the source domain where the encoder takes one."""
    features: list[Tensor] = encoder(image, *_domains(name)[:1])
    return features


def _last_maps(name: str, encoder: nn.Module, image: Tensor) -> Tensor:
    """z, of both domains where the encoder takes one."""
    return torch.cat([encoder(image, *domain)[-1] for domain in [[domain] for domain in _domains(name)] or [[]]])


def _head_features(name: str) -> list[Tensor]:
    """What a head is tested on; flattening needs a square."""
    return _features(48, 48) if name == "flat" else _features()


def _logits(name: str, head: nn.Module, features: list[Tensor]) -> Tensor:
    """A head's logits, of both its scales where it has two, with a crop in the middle of each image."""
    given: list[Any] = [features]
    if name == "hrda":
        details = head([feature + 1 for feature in features])
        given += [[details], [[(24, 32)] * len(details)]]
    logits: Tensor = head(*given)
    return logits


def _decoder_features(name: str, height: int = 48, width: int = 64) -> list[Tensor]:
    """What a decoder is tested on: the pyramid, or an image and a z of one pixel."""
    if name in ONE_PIXEL_DECODERS:
        side = ONE_PIXEL_DECODERS[name]
        return [_image(side, side), *(feature[..., :1, :1] for feature in _features()[1:])]
    return _features(height, width)


def _assert_every_parameter_learns(module: nn.Module, call: Callable[[], Tensor]) -> None:
    """Every parameter that requires a gradient gets one that is not zero, from any initialisation."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    # Some encoders drop whole blocks at random in training; with this seed, never all of a stage.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        output = call()
    (output * torch.randn(output.shape, generator=generator)).sum().backward()
    still = [
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert not still


def _assert_reproducible(build: Callable[[int], nn.Module], call: Callable[[Any], Tensor]) -> None:
    """Seed, state dict and deep copy each fix the network; evaluation repeats itself."""
    first, again, other = build(0).eval(), build(0).eval(), build(1).eval()
    with torch.no_grad():
        expected = call(first)
        assert torch.equal(call(first), expected)
        assert torch.equal(call(again), expected)
        assert torch.equal(call(copy.deepcopy(first)), expected)
        assert any(not torch.equal(one, two) for one, two in zip(first.parameters(), other.parameters(), strict=True))
        other.load_state_dict(first.state_dict())
        assert torch.equal(call(other), expected)


@pytest.mark.parametrize(("name", "options"), _cases("encoders", ENCODERS))
class TestEncoder:
    @pytest.mark.parametrize("size", [(64, 96), (65, 97), (50, 39)])
    def test_channels_and_strides_are_those_of_the_maps(self, name: str, options: Any, size: tuple[int, int]) -> None:
        encoder = _build("encoders", name, options).eval()
        size = _size(name, options, *size)
        image = _image(*size, batch=1)
        try:
            with torch.no_grad():
                features = _encode(name, encoder, image)
        except ConfigError:
            if size == (64, 96) or name in FIXED_SIZES:
                raise
            with pytest.raises(ConfigError, match="multiples of 32"):
                encoder(image)
            return
        assert features[0] is image
        assert (encoder.channels[0], encoder.strides[0]) == (3, 1)
        assert list(encoder.strides) == sorted(encoder.strides)
        assert len(features) == len(encoder.channels) == len(encoder.strides)
        maps = list(zip(features, encoder.channels, encoder.strides, strict=True))
        if name in POOLING:
            assert maps.pop()[0].shape == (1, encoder.channels[-1], 1, 1)
        for feature, channels, stride in maps:
            assert feature.shape[1] == channels
            if channels:
                assert feature.shape == (1, channels, -(-size[0] // stride), -(-size[1] // stride))

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        image = _image(*_size(name, options, 32, 64))
        _assert_reproducible(
            lambda seed: _build("encoders", name, options, seed=seed), lambda encoder: _last_maps(name, encoder, image)
        )

    def test_every_parameter_learns_through_z(self, name: str, options: Any) -> None:
        encoder = _build("encoders", name, options).train()
        image = _image(*_size(name, options, 64, 64))
        _assert_every_parameter_learns(encoder, lambda: _last_maps(name, encoder, image))

    def test_a_sample_does_not_depend_on_the_others_in_evaluation(self, name: str, options: Any) -> None:
        encoder = _build("encoders", name, options).eval()
        image = _image(*_size(name, options, 32, 32))
        with torch.no_grad():
            both, alone = _encode(name, encoder, image)[-1][:1], _encode(name, encoder, image[:1])[-1]
        assert torch.allclose(both, alone, atol=1e-4 * float(both.abs().max()))

    def test_another_size_than_its_only_one_is_refused(self, name: str, options: Any) -> None:
        if name in FIXED_SIZES:
            side, _ = _size(name, options, 0, 0)
            encoder = _build("encoders", name, options)
            with pytest.raises(ConfigError, match=f"{name}.*{side + 4}x{side}.*{side}x{side}"):
                _encode(name, encoder, _image(side + 4, side))

    def test_nothing_is_downloaded(self, name: str, options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*arguments: Any) -> None:
            pytest.fail("tried to connect")

        monkeypatch.setattr(socket.socket, "connect", offline)
        monkeypatch.setattr(socket, "getaddrinfo", offline)
        _build("encoders", name, options)


@pytest.mark.parametrize(("name", "options"), _cases("heads", HEADS))
class TestHead:
    def test_logits_for_every_class(self, name: str, options: Any) -> None:
        logits = _logits(name, _build("heads", name, options, CHANNELS, STRIDES, CLASSES), _head_features(name))
        assert logits.shape[:2] == (2, CLASSES)
        if name in IMAGE_HEADS:
            assert logits.shape[2:] == (1, 1)
            return
        # The task upsamples: any resolution is fine that keeps the image's shape and is not coarser than z.
        assert logits.shape[-2] * 64 == logits.shape[-1] * 48
        assert logits.shape[-2] >= 6

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        features = _head_features(name)
        _assert_reproducible(
            lambda seed: _build("heads", name, options, CHANNELS, STRIDES, CLASSES, seed=seed),
            lambda head: _logits(name, head, features),
        )

    def test_every_parameter_learns_and_z_too(self, name: str, options: Any) -> None:
        head = _build("heads", name, options, CHANNELS, STRIDES, CLASSES).train()
        features = _head_features(name)
        features[-1].requires_grad_()
        _assert_every_parameter_learns(head, lambda: _logits(name, head, features))
        assert features[-1].grad is not None
        assert features[-1].grad.any()

    def test_it_does_not_change_the_features(self, name: str, options: Any) -> None:
        features = _head_features(name)
        before = [feature.clone() for feature in features]
        _logits(name, _build("heads", name, options, CHANNELS, STRIDES, CLASSES), features)
        assert len(features) == len(before)
        assert all(torch.equal(one, two) for one, two in zip(features, before, strict=True))


@pytest.mark.parametrize(("name", "options"), _cases("decoders", DECODERS))
class TestDecoder:
    @pytest.mark.parametrize("size", [(48, 64), (65, 97)])
    def test_images_of_the_input_size_in_range(self, name: str, options: Any, size: tuple[int, int]) -> None:
        decoder = _build("decoders", name, options, CHANNELS, STRIDES, DOMAINS)
        for domain in DOMAINS:
            features = _decoder_features(name, *size)
            image = decoder(features, domain)
            assert image.shape == features[0].shape
            assert image.abs().max() <= 1
            if options.get("grey") and not options.get("residual"):
                assert torch.equal(image, image[:, :1].expand(-1, 3, -1, -1))

    @pytest.mark.parametrize("domains", [("source",), ("target",), DOMAINS])
    def test_every_parameter_learns_whatever_domains_are_built(
        self, name: str, options: Any, domains: tuple[str, ...]
    ) -> None:
        decoder = _build("decoders", name, options, CHANNELS, STRIDES, domains).train()
        features = _decoder_features(name)
        _assert_every_parameter_learns(decoder, lambda: sum(decoder(features, domain) for domain in domains))

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        features = _decoder_features(name)
        _assert_reproducible(
            lambda seed: _build("decoders", name, options, CHANNELS, STRIDES, ("target",), seed=seed),
            lambda decoder: decoder(features, "target"),
        )


@pytest.mark.parametrize(("name", "options"), _cases("discriminators", DISCRIMINATORS))
class TestDiscriminator:
    def test_raw_scores_and_class_logits_of_those_that_segment(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES)
        realness, semantic = discriminator(_image(48, 48))
        assert realness.shape[:2] == (2, 1)
        assert (semantic is not None) == (name in ("semantic_patch", "class_feature"))
        if semantic is not None:
            assert semantic.shape[:2] == (2, 2 * CLASSES if name == "class_feature" else CLASSES)

    def test_every_parameter_learns(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES).train()

        def call() -> Tensor:
            return torch.cat([output.flatten() for output in discriminator(_image(48, 48)) if output is not None])

        _assert_every_parameter_learns(discriminator, call)

    def test_a_gradient_penalty_can_be_taken(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES)
        image = _image(48, 48).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(image).realness.sum(), image, create_graph=True)
        assert slope.any()
        slope.square().sum().backward()
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in discriminator.parameters())

    def test_a_sample_does_not_depend_on_the_others_even_in_training(self, name: str, options: Any) -> None:
        discriminator = _build("discriminators", name, options, 3, CLASSES).train()
        image = _image(48, 48)
        assert torch.allclose(discriminator(image).realness[:1], discriminator(image[:1]).realness, atol=1e-5)

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        image = _image(48, 48)
        _assert_reproducible(
            lambda seed: _build("discriminators", name, options, 3, CLASSES, seed=seed),
            lambda discriminator: discriminator(image).realness,
        )


@pytest.mark.parametrize(("name", "options"), _cases("samplers", SAMPLERS))
class TestSampler:
    def test_images_of_either_domain_in_range(self, name: str, options: Any) -> None:
        sampler = _build("samplers", name, options, DOMAINS)
        noise = _noise(sampler.noise)
        source, target = sampler(noise, "source"), sampler(noise, "target")
        assert source.shape == target.shape
        assert source.shape[:2] == (2, 3)
        assert max(source.abs().max(), target.abs().max()) <= 1
        assert not torch.equal(source, target)
        if options.get("grey"):
            assert torch.equal(source, source[:, :1].expand(-1, 3, -1, -1))

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        _assert_reproducible(
            lambda seed: _build("samplers", name, options, ("target",), seed=seed),
            lambda sampler: sampler(_noise(sampler.noise), "target"),
        )

    def test_every_parameter_learns_and_the_noise_matters(self, name: str, options: Any) -> None:
        sampler = _build("samplers", name, options, DOMAINS).train()
        noise = _noise(sampler.noise).requires_grad_()
        _assert_every_parameter_learns(sampler, lambda: sampler(noise, "source") + sampler(noise, "target"))
        assert noise.grad is not None
        assert noise.grad.any()

    def test_noise_of_another_length_is_refused(self, name: str, options: Any) -> None:
        sampler = _build("samplers", name, options, ("source",))
        with pytest.raises(ConfigError, match=f"got {sampler.noise + 1} numbers.*{sampler.noise}"):
            sampler(_noise(sampler.noise + 1), "source")
