"""Any decoder of segmentation-models-pytorch as the head (what segda calls a decoder makes images)."""

import importlib
import inspect
from typing import Any, Literal

from torch import Tensor, nn

from segda import torchvision_compat
from segda.config.lookup import nearest
from segda.errors import ConfigError, reason
from segda.networks.pretrained import load_pretrained

Decoder = Literal[
    "deeplabv3", "deeplabv3plus", "fpn", "linknet", "manet", "pan", "pspnet", "segformer", "unet", "unetplusplus",
    "upernet",
]  # fmt: skip

_CLASSES = {
    "deeplabv3": "DeepLabV3Decoder", "deeplabv3plus": "DeepLabV3PlusDecoder", "fpn": "FPNDecoder",
    "linknet": "LinknetDecoder", "manet": "MAnetDecoder", "pan": "PANDecoder", "pspnet": "PSPDecoder",
    "segformer": "SegformerDecoder", "unet": "UnetDecoder", "unetplusplus": "UnetPlusPlusDecoder",
    "upernet": "UPerNetDecoder",
}  # fmt: skip
# The decoders that double each map to meet the next finer one, and how many of the coarsest maps they use.
_DOUBLING = {"fpn": 4, "linknet": 6, "manet": 6, "unet": 6, "unetplusplus": 6}
# What smp's whole models give their decoders; dropout, which they set to 0.2 or 0.5, is an option here.
_UNET_WIDTHS = (256, 128, 64, 32, 16)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "deeplabv3": {"out_channels": 256, "atrous_rates": (12, 24, 36), "aspp_separable": False},
    "deeplabv3plus": {"out_channels": 256, "atrous_rates": (12, 24, 36), "aspp_separable": True},
    "linknet": {"prefinal_channels": 32},
    "pan": {"decoder_channels": 32},
    "pspnet": {"out_channels": 512},
    "segformer": {"segmentation_channels": 256},
    "upernet": {"decoder_channels": 256},
}
_KERNELS = {"manet": 3, "pan": 3, "pspnet": 3, "unet": 3, "unetplusplus": 3, "linknet": 3}
_OF_THE_ENCODER = ("encoder_channels", "encoder_depth", "n_blocks", "in_channels", "output_stride")


class SmpHead(nn.Module):
    """An smp decoder over the whole pyramid, and a convolution to class logits at the decoder's resolution."""

    def __init__(self, name: str, decoder: nn.Module, channels: int, classes: int, stride: int) -> None:
        """Wrap an smp decoder; see `build`."""
        super().__init__()
        self.name = name
        self.stride = stride
        self.decoder = decoder
        kernel = _KERNELS.get(name, 1)
        self.classifier = nn.Conv2d(channels, classes, kernel, padding=kernel // 2)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Logits `[B, K, h, w]`, at the resolution at which the decoder ends.

        Raises:
            ConfigError: the image's size does not divide by the encoder's output stride or is too small, or a training
                batch is a single image and the decoder normalises its pooled features over the batch.
        """
        height, width = features[0].shape[-2:]
        if height % self.stride or width % self.stride:
            raise ConfigError(
                f"head smp: {self.name} got a {height}x{width} image, needs height and width that divide by "
                f"{self.stride}; choose such a crop or the head `small`"
            )
        try:
            logits: Tensor = self.classifier(self.decoder(list(features)))
        except (ValueError, RuntimeError) as error:
            if "more than 1 value per channel" in str(error):
                raise ConfigError(
                    f"head smp: {self.name} cannot train on a batch of {features[0].shape[0]}, it normalises pooled "
                    "features over the batch; use 2 or more images a process"
                ) from error
            if "too small" in str(error):
                raise ConfigError(
                    f"head smp: {height}x{width} images are too small for {self.name} after an encoder of output "
                    f"stride {self.stride}; use a larger crop or a smaller output_stride"
                ) from error
            raise
        return logits


def build(
    channels: tuple[int, ...],
    strides: tuple[int, ...],
    classes: int,
    decoder: Decoder = "deeplabv3plus",
    dropout: float = 0.0,
    options: dict[str, Any] | None = None,
    weights: str | None = None,
) -> SmpHead:
    """Any decoder of segmentation-models-pytorch.

    Args:
        channels: of the encoder's maps.
        strides: of the encoder's maps.
        classes: number of classes.
        decoder: smp's name of it.
        dropout: of the decoders that have one (DeepLab, FPN, PSPNet).
        options: more of the smp decoder class's own arguments.
        weights: path of the weights of an smp model with this decoder, whose `segmentation_head` is taken if it has as
            many classes; none: random.

    Raises:
        ConfigError: unknown decoder or option, an encoder that this decoder cannot follow, or a file of weights that is
            missing or does not fit.
    """
    _check_strides(decoder, strides)
    torchvision_compat.import_ready("segmentation_models_pytorch")
    from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head

    smp_class = _decoder_class(decoder)
    accepted = inspect.signature(smp_class).parameters
    chosen = arguments(decoder, len(channels) - 1, dropout, options)
    encoder: dict[str, Any] = {
        "encoder_channels": list(channels), "encoder_depth": len(channels) - 1, "n_blocks": len(channels) - 1,
        "in_channels": channels[-1], "output_stride": strides[-1],
    }  # fmt: skip
    chosen.update({name: value for name, value in encoder.items() if name in accepted})
    try:
        network = smp_class(**chosen)
    except (ValueError, TypeError, ZeroDivisionError, RuntimeError, IndexError) as error:
        raise ConfigError(
            f"head smp: {decoder} cannot follow an encoder with channels {channels} ({reason(error)}); "
            "use another decoder, its options, or an encoder of depth 5"
        ) from error
    head = SmpHead(decoder, network, _channels_out(decoder, chosen, network), classes, strides[-1])
    initialize_decoder(head.decoder)
    initialize_head(head.classifier)
    if weights is not None:
        load_pretrained(
            head, weights, lambda name: name.replace("segmentation_head.0.", "classifier."), optional=("classifier.",)
        )
    return head


def arguments(decoder: Decoder, depth: int, dropout: float, options: dict[str, Any] | None) -> dict[str, Any]:
    """The arguments of an smp decoder's class that do not follow from its encoder, of `depth` stages; see `build`.

    Raises:
        ConfigError: unknown option.
    """
    accepted = inspect.signature(_decoder_class(decoder)).parameters
    chosen = dict(_DEFAULTS.get(decoder, {}))
    if decoder in ("unet", "unetplusplus", "manet"):
        chosen["decoder_channels"] = _UNET_WIDTHS[-depth:]
    for name in ("aspp_dropout", "dropout"):
        if name in accepted:
            chosen[name] = dropout
    for name, value in (options or {}).items():
        valid = [option for option in accepted if option not in _OF_THE_ENCODER]
        if name not in valid:
            raise ConfigError(f"head smp: {decoder} has no option {name!r}; {nearest(name, valid)}")
        chosen[name] = value
    return chosen


def names() -> list[str]:
    """The decoders of smp."""
    return sorted(_CLASSES)


def _check_strides(decoder: str, strides: tuple[int, ...]) -> None:
    """Refuse encoders whose pyramid does not fit the decoder."""
    if decoder == "deeplabv3plus" and (len(strides) < 4 or strides[2] != 4 or strides[-1] not in (8, 16)):
        raise ConfigError(
            f"head smp: deeplabv3plus needs an encoder with a third map of stride 4 and output stride 8 or 16, got "
            f"strides {strides}; set the encoder's output_stride to 16"
        )
    used = strides[-_DOUBLING.get(decoder, 1) :]
    if any(coarse != 2 * fine for fine, coarse in zip(used, used[1:], strict=False)):
        raise ConfigError(
            f"head smp: {decoder} needs strides that double, got {strides}; use an encoder that is not dilated, or "
            "deeplabv3plus, upernet, segformer or the head `small`"
        )


def _decoder_class(name: str) -> Any:
    """The class of an smp decoder."""
    if name not in _CLASSES:
        raise ConfigError(f"head smp: unknown decoder {name!r}; {nearest(name, _CLASSES)}")
    folder = name.replace("v3plus", "v3")
    return getattr(importlib.import_module(f"segmentation_models_pytorch.decoders.{folder}.decoder"), _CLASSES[name])


def _channels_out(decoder: str, chosen: dict[str, Any], network: Any) -> int:
    """How many feature maps the decoder ends with."""
    if decoder == "fpn":
        return int(network.out_channels)
    for name in ("out_channels", "segmentation_channels", "prefinal_channels", "decoder_channels"):
        if name in chosen:
            widths = chosen[name]
            return int(widths if isinstance(widths, int) else widths[-1])
    raise AssertionError(f"no width for {decoder}")
