"""Any encoder of segmentation-models-pytorch, timm's as `tu-<name>` among them."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from segda import torchvision_compat
from segda.config.lookup import nearest
from segda.errors import ConfigError, reason
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.memory_format import has_depthwise_convolutions
from segda.networks.pretrained import IMAGENET, downloading, is_file, load_pretrained
from segda.networks.pretrained_encoder import PretrainedEncoder, image_statistics

# timm's names of smp's encoders whose ImageNet weights expect other statistics of images than most; of smp itself, only
# the files that it downloads say so.
_TIMM_NAMES = {
    "inceptionresnetv2": "inception_resnet_v2", "inceptionv4": "inception_v4", "xception": "legacy_xception",
    "dpn68b": "dpn68", **{name: name for name in ("dpn68", "dpn92", "dpn98", "dpn107", "dpn131")},
    **{f"timm-tf_efficientnet_lite{size}": f"tf_efficientnet_lite{size}" for size in range(5)},
}  # fmt: skip


class SmpEncoder(PretrainedEncoder):
    """Pyramid of the image and the stages of an smp encoder; a stage that it lacks has 0 channels, as in smp."""

    encoder: Any

    def __init__(self, encoder: Any, output_stride: int, norm: ImagenetNorm, freeze_batchnorm: bool) -> None:
        """Wrap an smp encoder; see `build`."""
        super().__init__("encoder", encoder, norm, freeze_batchnorm)
        stages = list(encoder.out_channels)[1:]
        self.channels: tuple[int, ...] = (3, *(int(stage) for stage in stages))
        self.strides: tuple[int, ...] = tuple(min(2**level, output_stride) for level in range(len(self.channels)))
        self.channels_last = has_depthwise_convolutions(encoder)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `[B, 3, H, W]` in `[-1, 1]`, fine to coarse; sizes are the image's by the stride, rounded up.

        Raises:
            ConfigError: the encoder cannot take this image size.
        """
        height, width = image.shape[-2:]
        remedy = f"make height and width multiples of {max(32, self.strides[-1])}"
        try:
            features: list[Tensor] = list(self.encoder(self.imagenet_norm(image)))
        except (RuntimeError, AssertionError) as error:
            if height % 32 == 0 and width % 32 == 0:
                raise
            raise ConfigError(
                f"encoder smp: cannot take {height}x{width} images ({reason(error)}); {remedy}"
            ) from error
        for channels, stride, feature in zip(self.channels[1:], self.strides[1:], features[1:], strict=True):
            size = (-(-height // stride), -(-width // stride))
            if channels and tuple(feature.shape[-2:]) != size:
                raise ConfigError(
                    f"encoder smp: {height}x{width} images give {tuple(feature.shape[-2:])} instead of {size} at "
                    f"stride {stride}; {remedy}"
                )
        return [image, *features[1:]]


def build(
    encoder: str = "mobilenet_v2",
    depth: Literal[1, 2, 3, 4, 5] = 5,
    output_stride: Literal[8, 16, 32] = 32,
    weights: str | None = None,
    freeze_batchnorm: bool = False,
) -> SmpEncoder:
    """Any encoder of segmentation-models-pytorch; images are normalised as in the training of its published weights.

    Args:
        encoder: smp's name of it, such as `mobilenet_v2`, `resnet50`, `mit_b2`, `tu-convnext_tiny`.
        depth: number of stages.
        output_stride: of the last stage; 8 and 16 dilate the stages beyond, which not every encoder can.
        weights: path of its ImageNet weights (timm's or torchvision's names), or `imagenet` to download; none: random.
        freeze_batchnorm: keep running statistics as they are in the weights.

    Raises:
        ConfigError: smp has no such encoder, it cannot be dilated, or the weights file is missing or does not fit.
    """
    torchvision_compat.import_ready("segmentation_models_pytorch", "timm")
    import segmentation_models_pytorch as smp
    import timm

    from_timm = encoder.startswith("tu-")
    valid = timm.list_models() if from_timm else smp.encoders.get_encoder_names()
    if encoder.removeprefix("tu-").split(".")[0] not in valid:
        raise ConfigError(f"encoder smp: unknown encoder {encoder!r}; {nearest(encoder.removeprefix('tu-'), valid)}")
    download = {"weights": from_timm or IMAGENET} if weights == IMAGENET else {}
    try:
        with downloading(encoder, weights), _DropPathRates():
            network = smp.encoders.get_encoder(encoder, depth=depth, output_stride=output_stride, **download)
    except (ValueError, NotImplementedError, TypeError, AssertionError) as error:
        raise ConfigError(
            f"encoder smp: {encoder!r} cannot have depth {depth} and output_stride {output_stride} ({reason(error)}); "
            "use output_stride 32 or another encoder"
        ) from error
    if weights is not None and is_file(weights):
        if from_timm:
            _load_timm(network.model, encoder.removeprefix("tu-"), weights)
        else:
            load_pretrained(network, weights)
    _freeze_unused(network, encoder, depth, output_stride)
    timm_name = encoder.removeprefix("tu-") if from_timm else _TIMM_NAMES.get(encoder)
    norm = ImagenetNorm() if timm_name is None else image_statistics(timm_name)
    return SmpEncoder(network, min(output_stride, 2**depth), norm, freeze_batchnorm)


class _DropPathRates(TorchFunctionMode):
    """Entered while a network is built: rates that smp's transformers read off a tensor are numbers on any device."""

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make ranges on the CPU, also where parameters are made without memory."""
        return function(*args, **{**({"device": "cpu"} if function is torch.linspace else {}), **(kwargs or {})})


def names() -> list[str]:
    """The encoders that smp has, without timm's."""
    torchvision_compat.import_ready()
    import segmentation_models_pytorch as smp

    return sorted(smp.encoders.get_encoder_names())


def _load_timm(stages: nn.Module, name: str, path: str) -> None:
    """Load a file of the whole timm model `name` into timm's selection of its stages, which renames some layers."""
    import timm

    whole = timm.create_model(name, num_classes=0)
    try:
        load_pretrained(whole, path)
    except ConfigError as error:
        try:
            load_pretrained(stages, path)  # of an smp model, whose encoder is this selection
        except ConfigError:
            raise error from None
        return
    expected = stages.state_dict()
    renamed: dict[str, Tensor] = {}
    for key, tensor in whole.state_dict().items():
        for candidate in (key, key.replace(".", "_", 1), f"model.{key}"):
            if candidate in expected:
                renamed[candidate] = tensor
    if len(renamed) < len(expected):
        absent = sorted(expected.keys() - renamed.keys())[0]
        raise ConfigError(f"weights {path}: no tensor fits {absent} of tu-{name}; use one of smp's own encoders")
    stages.load_state_dict(renamed)


# Parameters that no stage of an encoder depends on, such as layers beyond `depth`, by its name, depth and output
# stride: finding them takes a forward and a backward pass, and a plan builds the same encoder many times.
_unused: dict[tuple[str, int, int], frozenset[str]] = {}


def _freeze_unused(network: nn.Module, name: str, depth: int, output_stride: int) -> None:
    """Stop gradients of parameters that no stage depends on: several processes would wait forever for them."""
    key = name, depth, output_stride
    if key not in _unused:
        _unused[key] = _without_gradient(network, name)
    for parameter_name, parameter in network.named_parameters():
        if parameter_name in _unused[key]:
            parameter.requires_grad_(False)


def _without_gradient(network: nn.Module, name: str) -> frozenset[str]:
    """Names of the parameters that no stage depends on."""
    was_training = network.training
    network.eval()
    named = {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
    with torch.enable_grad():
        try:
            stages = network(torch.zeros(1, 3, 64, 64))[1:]
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"encoder smp: {name!r} takes one image size only ({reason(error)}); use another"
            ) from error
        total = torch.stack([stage.sum() for stage in stages]).sum()
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    network.train(was_training)
    return frozenset(key for key, gradient in zip(named, gradients, strict=True) if gradient is None)
