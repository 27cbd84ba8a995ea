"""Images and maps of a batch at a share of their height and width."""

from torch import Tensor
from torch.nn import functional


def reduced_image(image: Tensor, scale: float) -> Tensor:
    """Images `[B, 3, H, W]` averaged over areas: `[B, 3, scale H, scale W]`, rounded; the same tensor at 1."""
    return image if scale == 1 else functional.interpolate(image, _size(image, scale), mode="area")


def reduced_map(values: Tensor, scale: float) -> Tensor:
    """Labels, weights or masks `[B, H, W]` at the nearest pixels: `[B, scale H, scale W]`, in the same type."""
    if scale == 1:
        return values
    found = functional.interpolate(values[:, None].float(), _size(values, scale), mode="nearest-exact")
    return found[:, 0].to(values.dtype)


def _size(tensor: Tensor, scale: float) -> tuple[int, int]:
    return round(int(tensor.shape[-2]) * scale), round(int(tensor.shape[-1]) * scale)
