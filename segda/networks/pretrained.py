"""ImageNet weights into an encoder: from a local file, or downloaded where a config asks for them by name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from segda.errors import ConfigError, SegdaError
from segda.networks import import_weights

IMAGENET = "imagenet"
_CLASSIFIERS = ("fc.", "classifier.", "head.")
# Packages whose errors, like OSError, mean that a download failed.
_DOWNLOADERS = ("huggingface_hub", "httpx", "httpcore", "requests", "urllib3")


def is_file(weights: str | None) -> bool:
    """Whether `weights` is a path rather than nothing or the name of downloadable weights."""
    return weights not in (None, IMAGENET)


@contextmanager
def downloading(encoder: str, weights: str | None) -> Iterator[None]:
    """Around a download of an encoder's `weights`, which only `imagenet` causes.

    Raises:
        ConfigError: there is no connection, or the publisher does not answer.
    """
    try:
        yield
    except SegdaError:
        raise
    except Exception as error:
        failed = isinstance(error, OSError) or type(error).__module__.split(".")[0] in _DOWNLOADERS
        if weights != IMAGENET or not failed:
            raise
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ConfigError(
            f"encoder {encoder}: weights {IMAGENET!r} could not be downloaded ({reason}); connect, or give `weights` "
            "the path of a file"
        ) from error


def load_pretrained(module: nn.Module, path: str, rename: Callable[[str], str] | None = None) -> None:
    """Copy the weights in a file into `module`, which must take all of them; a classifier in the file is dropped.

    The file is safetensors, or one of torch.save that was imported (`import_weights`); `rename` maps its names to the
    encoder's, which are timm's or torchvision's.

    Raises:
        ConfigError: the file is missing, damaged or not imported, or does not fit the encoder.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    loaded: dict[str, Tensor] = {}
    for original, tensor in _read(path).items():
        name = rename(original) if rename else original
        if name in expected or not name.startswith(_CLASSIFIERS):
            loaded[name] = tensor
    # Files from before torch 0.4.1 have no count of batches; only averaging without momentum needs it.
    missing = [name for name in expected if name not in loaded and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in loaded if name not in expected]
    reshaped = [name for name in loaded if name in expected and tuple(loaded[name].shape) != expected[name]]
    if missing or unexpected or reshaped:
        raise ConfigError(
            f"weights {path} do not fit {type(module).__name__}: {_count('missing', missing)}, "
            f"{_count('unexpected', unexpected)}, {_count('of another shape', reshaped)}; "
            "give the file of the same architecture"
        )
    # Some of smp's encoders replace load_state_dict; everything is checked, so torch's own does it.
    nn.Module.load_state_dict(module, loaded, strict=False)


def _read(path: str) -> dict[str, Tensor]:
    """The tensors in a weights file, by name."""
    if not Path(path).is_file():
        raise ConfigError(f"weights {path}: no such file; correct the path, or use `weights: {IMAGENET}` to download")
    try:
        content = safetensors.torch.load_file(import_weights.safetensors_of(path))
    except (OSError, ValueError, SafetensorError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"weights {path}: not readable ({reason}); expected tensors as safetensors") from error
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def _count(what: str, names: list[str]) -> str:
    """`3 missing (a, b, ...)`."""
    if not names:
        return f"0 {what}"
    examples = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{len(names)} {what} ({examples})"
