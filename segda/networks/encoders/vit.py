"""Plain vision transformers by timm's names: DINOv2, DINOv3, EVA, CLIP and others; one map, at the size of a patch.

Weights are never downloaded: they have licences of their own (DINOv2 Apache-2.0, DINOv3 the DINOv3 License), and a
missing file is an error that says where it is published and under which licence.

Source: Dosovitskiy et al., An Image is Worth 16x16 Words (arXiv:2010.11929); Oquab et al., DINOv2 (arXiv:2304.07193);
Simeoni et al., DINOv3 (arXiv:2508.10104); Englert et al., VFM-UDA (arXiv:2406.09896), as an encoder for adaptation.
"""

from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from segda import torchvision_compat
from segda.config.lookup import nearest
from segda.errors import ConfigError
from segda.networks.layers.lora import add_lora
from segda.networks.layers.option_checks import demand_at_least
from segda.networks.layers.resolution import resized_to_multiple
from segda.networks.pretrained_encoder import PretrainedEncoder, image_statistics, timm_model

# timm's files of plain vision transformers: all blocks of one width, positions for any image size.
_FILES = ("vision_transformer", "eva")


class VitEncoder(PretrainedEncoder):
    """The image and the last block's normalised tokens as a map, without class and register tokens."""

    vit: Any

    def __init__(
        self,
        model: str = "vit_small_patch14_dinov2",
        weights: str | None = None,
        train: Literal["all", "lora", "none"] = "all",
        rank: int = 16,
        alpha: float = 16.0,
    ) -> None:
        """Build a vision transformer without its classifier.

        Args:
            model: timm's name, with or without the tag of its weights, such as `vit_base_patch14_reg4_dinov2` or
                `vit_small_patch16_dinov3.lvd1689m`. The tag decides by which mean and deviation images are normalised.
            weights: path of timm's file of this model; none: random.
            train: all parameters; with `lora` a low-rank change to every linear layer of the blocks, and nothing else;
                with `none` nothing.
            rank: of the changes that LoRA learns.
            alpha: the changes count `alpha / rank`.

        Raises:
            ConfigError: timm has no such plain vision transformer, or the weights file is missing or does not fit.
        """
        _check(model, weights)
        network = timm_model(model, weights, dynamic_img_size=True)
        network.prune_intermediate_layers(1)  # what pools the tokens
        super().__init__("vit", network, image_statistics(model), freeze_batchnorm=False)
        self.patch = int(network.patch_embed.patch_size[0])
        self.channels: tuple[int, ...] = (3, int(network.embed_dim))
        self.strides: tuple[int, ...] = (1, self.patch)
        if train == "all":
            return
        network.requires_grad_(False)
        if train == "lora":
            demand_at_least("encoder vit", 1, rank=rank)
            add_lora(network.blocks, rank, alpha)
            for block in network.blocks:
                block.attn.qkv_bias_separate = True  # else EVA's attention takes the weight past the layer

    def forward(self, image: Tensor) -> list[Tensor]:
        """The image `[B, 3, H, W]` in `[-1, 1]`, and z `[B, C, h, w]`, a position for each patch.

        Images whose size is no multiple of the patch are enlarged to the next one, so that z covers all of them.
        """
        grown = resized_to_multiple(self.imagenet_norm(image), self.patch)
        (z,) = self.vit.forward_intermediates(grown, indices=1, norm=True, intermediates_only=True)
        return [image, z]


build = VitEncoder


def _check(model: str, weights: str | None) -> None:
    """Refuse models that are no plain vision transformers, and weights that are not there."""
    torchvision_compat.import_ready("timm")
    import timm

    architecture, _, tag = model.partition(".")
    valid = [name for file in _FILES for name in timm.list_models(module=file)]
    if architecture not in valid:
        raise ConfigError(
            f"encoder vit: timm has no plain vision transformer {model!r}; {nearest(architecture, valid)}"
        )
    tagged = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and model not in tagged:
        raise ConfigError(f"encoder vit: timm has no weights {model!r}; {nearest(model, tagged)}")
    if weights is not None and not Path(weights).is_file():
        published: Any = timm.get_pretrained_cfg(model)
        place = f"https://huggingface.co/{published.hf_hub_id}" if published.hf_hub_id else published.url
        raise ConfigError(
            f"encoder vit: weights {weights}: no such file, and none is downloaded; get model.safetensors from {place} "
            f"(licence: {published.license}) and give `weights` its path"
        )
