"""An encoder and a head of smp as one of smp's whole models: its class, its arguments, its names of tensors."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from segda import torchvision_compat
from segda.networks.heads.smp import arguments

#: smp's class of a whole model by segda's name of its decoder.
CLASSES = {
    "deeplabv3": "DeepLabV3", "deeplabv3plus": "DeepLabV3Plus", "fpn": "FPN", "linknet": "Linknet", "manet": "MAnet",
    "pan": "PAN", "pspnet": "PSPNet", "segformer": "Segformer", "unet": "Unet", "unetplusplus": "UnetPlusPlus",
    "upernet": "UPerNet",
}  # fmt: skip
# Arguments of a decoder that the model has under another name than `decoder_<argument>`.
_RENAMED = {
    "deeplabv3": {"out_channels": "decoder_channels"}, "deeplabv3plus": {"out_channels": "decoder_channels"},
    "pspnet": {"out_channels": "psp_out_channels", "dropout": "psp_dropout"},
}  # fmt: skip
_HEAD = {"classifier.": "segmentation_head.0.", "decoder.": "decoder."}


def tensor_names(name: str) -> str:
    """The name in smp of a tensor that segda calls `encoder.<name in the encoder>` or `head.<name in the head>`.

    >>> tensor_names("encoder.encoder.conv1.weight"), tensor_names("head.classifier.bias")
    ('encoder.conv1.weight', 'segmentation_head.0.bias')
    """
    module, _, rest = name.partition(".")
    if module == "encoder":
        return rest
    return next(theirs + rest.removeprefix(own) for own, theirs in _HEAD.items() if rest.startswith(own))


def config_of(
    encoder: Mapping[str, Any], head: Mapping[str, Any] | None, classes: int, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Any] | None:
    """What smp's `config.json` says of these networks, so that `smp.from_pretrained` opens their folder.

    The model's logits have the decoder's resolution (`upsampling: 1`), since smp would enlarge them otherwise than
    segda does.

    Args:
        encoder: its config, with `name`.
        head: its config, with `name`.
        classes: number of classes.
        shapes: of the networks' tensors, by segda's names.

    Returns:
        `_model_class` and its arguments; `None` where smp has no such model.
    """
    if head is None or encoder["name"] != "smp" or head["name"] != "smp":
        return None
    torchvision_compat.import_ready("segmentation_models_pytorch")
    import segmentation_models_pytorch as smp

    decoder, depth = head.get("decoder", "deeplabv3plus"), int(encoder.get("depth", 5))
    model_class = getattr(smp, CLASSES[decoder])
    accepted = inspect.signature(model_class).parameters
    given: dict[str, Any] = {
        "encoder_name": encoder.get("encoder", "mobilenet_v2"), "encoder_depth": depth, "encoder_weights": None,
        "in_channels": 3, "classes": classes, "activation": None,
    }  # fmt: skip
    output_stride = int(encoder.get("output_stride", 32))
    if "encoder_output_stride" in accepted:
        given["encoder_output_stride"] = output_stride
    elif output_stride < min(32, 2**depth):
        return None
    if "upsampling" in accepted:
        given["upsampling"] = 1
    for name, value in arguments(decoder, depth, float(head.get("dropout", 0)), head.get("options")).items():
        others = {"interpolation_mode": "decoder_interpolation", **_RENAMED.get(decoder, {})}
        renamed = others.get(name, name if name in accepted else f"decoder_{name}")
        if renamed in accepted:
            given[renamed] = list(value) if isinstance(value, tuple) else value
        elif name in (head.get("options") or {}):
            return None
    model = model_class(**given)
    theirs = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if theirs != {tensor_names(name): shape for name, shape in shapes.items()}:
        return None
    return {"_model_class": CLASSES[decoder], **given}


def as_smp(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by smp's names in place of segda's."""
    return {tensor_names(name): tensor for name, tensor in tensors.items()}
