"""The networks of a method by name, built only as far as its terms need them."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.profiler import record_function

from segda.batch import DOMAINS, Domain
from segda.config import lookup
from segda.errors import ConfigError
from segda.networks import component
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.lens import Lens
from segda.networks.posterior import Posterior
from segda.networks.projection import Projection
from segda.networks.two_scales import Corners, TwoScales
from segda.networks.two_scales import encode as encode_two_scales

# What a term may need: networks; "semantic", for image discriminators that segment; "detail", for a head of two scales.
NETWORKS = frozenset(
    {
        "encoder", "head", "decoder.source", "decoder.target", "discriminator.feature", "discriminator.logits",
        "discriminator.source", "discriminator.target", "discriminator.conditional", "discriminator.latent",
        "discriminator.pair", "discriminator.class_feature", "sampler", "rebuilder", "posterior", "projection",
        "lens.source", "lens.target", "semantic", "detail",
    }
)  # fmt: skip
# What the stage, the data or the task must provide; checked elsewhere.
GIVEN = frozenset({"teacher", "judge", "pretrained", "class_sizes", "label_map", "pairs"})
NEEDS = NETWORKS | GIVEN

Tied = bool | Literal["partly"]
"""One encoder for both domains, one for each, or one whose first layers are each domain's own."""


class Networks:
    """Named networks and what they compute.

    Attributes:
        modules: `encoder` (tied) or `encoder.source` and `encoder.target`; `head`; `decoder`; `discriminator.feature`,
            `.logits`, `.source`, `.target`, `.conditional`, `.latent`, `.pair`, `.class_feature`; `sampler`;
            `rebuilder`; `posterior`; `projection`; `lens.source`, `lens.target`; only those that were built.
        tied: whether one encoder serves both domains, or `partly`.
        noise: how many numbers the sampler makes an image from; 0 without one.
        detail_multiple: of how many pixels the corners of detail crops are multiples; 0 of a head of one scale.
        frozen: names of the networks that are not trained.
    """

    def __init__(self, modules: Mapping[str, nn.Module], tied: Tied) -> None:
        """Hold networks; `modules` may be wrapped for several processes, since they are only called."""
        self.modules = dict(modules)
        self.tied = tied
        # Read here, before they are wrapped.
        self.noise = int(getattr(self.modules.get("sampler"), "noise", 0))
        self.detail_multiple = int(getattr(self.modules.get("head"), "detail_multiple", 0))
        self.frozen: set[str] = set()

    def encode(self, image: Tensor, domain: Domain, corners: Corners | None = None) -> list[Tensor]:
        """The pyramid of features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse: the image first, z last.

        With a head of two scales, that of the image at half its resolution, with those of detail crops: at `corners`,
        one of each image, or in windows all over the images.
        """
        if self.detail_multiple:
            return encode_two_scales(lambda x: self._pyramid(x, domain), image, self.detail_multiple, corners)
        return self._pyramid(image, domain)

    def _pyramid(self, image: Tensor, domain: Domain) -> list[Tensor]:
        if self.tied == "partly":
            shared: list[Tensor] = self._call("encoder", image, domain)
            return shared
        features: list[Tensor] = self._call("encoder" if self.tied else f"encoder.{domain}", image)
        return features

    def masked(self, image: Tensor, kept: Tensor, domain: Domain) -> Tensor:
        """The image `[B, 3, H, W]`, of the encoder's mean colour where `kept`, bool `[B, 1, H, W]`, is false.

        The encoder is that of `domain`. Its first layer sees 0 there: the colour is the mean of the images that it was
        pretrained on, or mid-grey if it normalises no images.
        """
        for module in self.modules[f"encoder.{domain}" if self.tied is False else "encoder"].modules():
            if isinstance(module, ImagenetNorm):
                return image.where(kept, (2 * module.mean - 1).to(image.dtype))
        return image.where(kept, 0.0)

    def classify(self, features: list[Tensor]) -> Tensor:
        """Class logits `[B, K, h, w]`, at the head's resolution."""
        if isinstance(features, TwoScales):
            return self.classify_scales(features)[0]
        logits: Tensor = self._call("head", features)
        return logits

    def classify_scales(self, features: TwoScales) -> tuple[Tensor, Tensor]:
        """Class logits of both scales together, `[B, K, 2 h, 2 w]`, and of the first crops alone, `[B, K, h, w]`."""
        details: list[Tensor] = [self._call("head", each) for each in features.details]
        logits: Tensor = self._call("head", list(features), details, features.windows)
        return logits, details[0]

    def decode(self, features: list[Tensor], domain: Domain) -> Tensor:
        """The features as an image of `domain`: `[B, 3, H, W]` in `[-1, 1]`, of the encoded image's size."""
        image: Tensor = self._call("decoder", features, domain)
        return image

    def sample(self, noise: Tensor, domain: Domain) -> Tensor:
        """The sampler's image of `domain` for noise `[B, N]`: `[B, 3, H, W]` in `[-1, 1]`."""
        image: Tensor = self._call("sampler", noise, domain)
        return image

    def posterior(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent variable, each like z `[B, C, h, w]`."""
        mean, log_variance = self._call("posterior", z)
        return mean, log_variance

    def rebuild(self, features: list[Tensor], masked: Tensor) -> list[Tensor]:
        """The pyramid with its coarsest maps rebuilt where `masked`, bool `[B, h, w]`, from what is not."""
        rebuilt: list[Tensor] = self._call("rebuilder", features, masked)
        return rebuilt

    def project(self, features: list[Tensor]) -> list[Tensor]:
        """Unit vectors `[B, N, D]` of features `[B, N, C]` at some places of every map, fine to coarse."""
        vectors: list[Tensor] = self._call("projection", features)
        return vectors

    def lens(self, image: Tensor, domain: Domain) -> Tensor:
        """The image after the lens of `domain`, for its discriminator; the image itself where no lens was built."""
        if f"lens.{domain}" not in self.modules:
            return image
        tempered: Tensor = self._call(f"lens.{domain}", image)
        return tempered

    def discriminate(self, name: str, x: Tensor) -> DiscriminatorOutput:
        """The output for `[B, C, h, w]` of the discriminator `name` (feature, logits, source, target, ...)."""
        output: DiscriminatorOutput = self._call(f"discriminator.{name}", x)
        return output

    def _call(self, name: str, *inputs: Any) -> Any:
        with record_function(f"network {name}"):  # a profile shows it
            return self.modules[name](*inputs)

    def freeze(self, names: Iterable[str]) -> None:
        """Freeze networks for good: no gradients, evaluation mode.

        Raises:
            ConfigError: no such network was built.
        """
        for name in names:
            if name not in self.modules:
                raise ConfigError(f"freeze: no network {name!r} is built; {lookup.nearest(name, self.modules)}")
            self.modules[name].requires_grad_(False).eval()
            self.frozen.add(name)

    def trainable(self) -> list[str]:
        """Names of the networks that are trained, sorted."""
        return sorted(
            name
            for name, module in self.modules.items()
            if name not in self.frozen and any(parameter.requires_grad for parameter in module.parameters())
        )

    def train(self, mode: bool = True) -> None:
        """Put the networks in training (or evaluation) mode; frozen ones stay in evaluation mode."""
        for name, module in self.modules.items():
            module.train(mode and name not in self.frozen)


def build(
    needs: set[str],
    *,
    classes: int,
    tied: Tied,
    encoder: Mapping[str, Any],
    head: Mapping[str, Any] | None = None,
    decoder: Mapping[str, Any] | None = None,
    sampler: Mapping[str, Any] | None = None,
    rebuilder: Mapping[str, Any] | None = None,
    discriminators: Mapping[str, Mapping[str, Any]] | None = None,
) -> Networks:
    """Build what `needs` names, and the encoder always; weights come from torch's current random state.

    Args:
        needs: see `NEEDS`.
        classes: number of classes.
        tied: one encoder for both domains. Untied ones start from different random weights, but the same file; `partly`
            needs an encoder whose `forward` takes the domain, such as `coupled`.
        encoder: `name` of a file in `encoders/` and its options.
        head: the same for `heads/`.
        decoder: the same for `decoders/`.
        sampler: the same for `samplers/`.
        rebuilder: the same for `rebuilders/`.
        discriminators: the same for `discriminators/`, under `image` (both domains'), `feature`, `logits`,
            `conditional`, `latent`, `pair` and `class_feature`.

    Raises:
        ConfigError: a needed network is not configured, or is configured wrongly.
    """
    for need in sorted(needs - NEEDS):
        raise ConfigError(f"terms need {need!r}, which is no network; {lookup.nearest(need, NEEDS)}")
    modules: dict[str, nn.Module] = {}
    _check_ties(tied, encoder)
    for name in ["encoder"] if tied else [f"encoder.{domain}" for domain in DOMAINS]:
        modules[name] = component.build("encoder", encoder, "encoder")
    first: Any = next(iter(modules.values()))
    channels, strides = first.channels, first.strides
    domains = tuple(domain for domain in DOMAINS if f"decoder.{domain}" in needs)
    parts: list[tuple[str, Mapping[str, Any] | None, tuple[Any, ...]]] = [
        ("head", head, (channels, strides, classes)),
        ("decoder", decoder, (channels, strides, domains)),
        ("sampler", sampler, (DOMAINS,)),
        ("rebuilder", rebuilder, (channels,)),
    ]
    for name, configured, arguments in parts:
        if name in needs or (name == "decoder" and domains):
            modules[name] = component.build(name, configured, name, *arguments)
    if "head" in needs:
        _check_scales(needs, modules["head"], head)
    if "posterior" in needs:
        modules["posterior"] = Posterior(channels[-1])
    if "projection" in needs:
        modules["projection"] = Projection(channels)
    for domain in DOMAINS:
        if f"lens.{domain}" in needs:
            modules[f"lens.{domain}"] = Lens()
    modules.update(_discriminators(needs, channels, classes, discriminators or {}))
    return Networks(modules, tied)


def _discriminators(
    needs: set[str], channels: tuple[int, ...], classes: int, configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, nn.Module]:
    """The discriminators that `needs` names, for an encoder whose maps have `channels`.

    Raises:
        ConfigError: one is not configured, or is configured wrongly.
    """
    modules: dict[str, nn.Module] = {}
    inputs = {
        "feature": channels[-1], "logits": classes, "conditional": channels[-1] * classes, "latent": channels[-1],
        "source": 3, "target": 3, "pair": 6, "class_feature": channels[-1],
    }  # fmt: skip
    for name, channels_in in inputs.items():
        if f"discriminator.{name}" in needs:
            key = "image" if name in DOMAINS else name
            configured = configs.get(key)
            module = component.build("discriminator", configured, f"discriminators.{key}", channels_in, classes)
            if "semantic" in needs and key == "image" and not getattr(module, "semantic", False):
                raise ConfigError(
                    f"discriminators.image: {configured and configured['name']!r} does not segment, but a term needs "
                    "that; use semantic_patch"
                )
            modules[f"discriminator.{name}"] = module
    return modules


def _check_scales(needs: set[str], built: nn.Module, head: Mapping[str, Any] | None) -> None:
    """A term for detail crops goes with a head of two scales, and such a head without decoders, which lack pixels.

    Raises:
        ConfigError: `needs` and `head` do not go together.
    """
    two_scales = hasattr(built, "detail_multiple")
    if "detail" in needs and not two_scales:
        raise ConfigError(
            f"head: {head and head['name']!r} has one scale, but a term needs two; wrap it: "
            "{name: hrda, head: {name: ...}}"
        )
    if two_scales and any(need.startswith("decoder.") for need in needs):
        raise ConfigError(
            f"head: {head and head['name']!r} halves the resolution of images, which the method's decoders need; use "
            "the head that it wraps"
        )


def _check_ties(tied: Tied, encoder: Mapping[str, Any]) -> None:
    """An encoder whose `forward` takes the domain goes with `tied: partly`, and no other does.

    Raises:
        ConfigError: `encoder` and `tied` do not go together.
    """
    if "name" not in encoder:
        return
    per_domain = getattr(lookup.module("segda.networks.encoders", encoder["name"]), "PER_DOMAIN", False)
    if per_domain != (tied == "partly"):
        expected = "`tied: partly`" if per_domain else "`tied: true` or `tied: false`"
        raise ConfigError(
            f"encoder: {encoder['name']} goes with {expected}, but the method has `tied: {str(tied).lower()}`; "
            "choose another encoder (`coupled` is tied partly) or another method"
        )
