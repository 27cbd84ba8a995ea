"""ImageNet weights from a local file into an encoder."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from segda.errors import ConfigError

IMAGENET = "imagenet"
_CLASSIFIERS = ("fc.", "classifier.", "head.")


def is_file(weights: str | None) -> bool:
    """Whether `weights` is a path rather than nothing or the name of downloadable weights."""
    return weights not in (None, IMAGENET)


def load_pretrained(module: nn.Module, path: str, rename: Callable[[str], str] | None = None) -> None:
    """Copy the weights in a file into `module`, which must take all of them; a classifier in the file is dropped.

    Args:
        module: the encoder, with timm's or torchvision's names.
        path: a `.safetensors` file, or one of torch.save (read without running code from it).
        rename: maps a name in the file to the encoder's.

    Raises:
        ConfigError: the file is missing or damaged, or does not fit the encoder.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found: dict[str, Tensor] = {}
    for original, tensor in _read(path).items():
        name = rename(original) if rename else original
        if name in expected or not name.startswith(_CLASSIFIERS):
            found[name] = tensor
    # Files from before torch 0.4.1 have no count of batches; only averaging without momentum needs it.
    missing = [name for name in expected if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in expected]
    reshaped = [name for name in found if name in expected and tuple(found[name].shape) != expected[name]]
    if missing or unexpected or reshaped:
        raise ConfigError(
            f"weights {path} do not fit {type(module).__name__}: {_count('missing', missing)}, "
            f"{_count('unexpected', unexpected)}, {_count('of another shape', reshaped)}; "
            "give the file of the same architecture"
        )
    # Some of smp's encoders replace load_state_dict; everything is checked, so torch's own does it.
    nn.Module.load_state_dict(module, found, strict=False)


def _read(path: str) -> dict[str, Tensor]:
    """The tensors in a weights file, by name."""
    if not Path(path).is_file():
        raise ConfigError(f"weights {path}: no such file; correct the path, or use `weights: {IMAGENET}` to download")
    try:
        if path.endswith(".safetensors"):
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"weights {path}: not readable ({reason}); expected a state dict of tensors") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ConfigError(f"weights {path}: holds {type(content).__name__}, expected a state dict of tensors by name")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def _count(what: str, names: list[str]) -> str:
    """`3 missing (a, b, ...)`."""
    if not names:
        return f"0 {what}"
    examples = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{len(names)} {what} ({examples})"
