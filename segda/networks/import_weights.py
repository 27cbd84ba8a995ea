"""Weights written by `torch.save`: read once, by `segda import`, and opened as safetensors from then on.

Such a file is a pickle, which may hold a program. It is read only by that command, by a reader that takes nothing but
tensors (`weights_only`). The copy is named by the hash of its origin, so a config may still name the origin: the bytes
that a run starts from, and with them its key, stay the same.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from segda.errors import ConfigError
from segda.files import sha256, write_whole

ENDING = ".safetensors"
FOLDER_VARIABLE = "SEGDA_IMPORTED"
#: Keys under which files hold the parameters.
WRAPPERS = ("state_dict", "model")
_ORIGIN = "origin_sha256"


def is_foreign(path: str | Path) -> bool:
    """Whether a file of weights has to be imported before a run may open it."""
    return not str(path).endswith(ENDING)


def folder() -> Path:
    """The folder of imported weights: `SEGDA_IMPORTED`, else in the user's cache."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "segda" / "imported"


def safetensors_of(path: str | Path) -> Path:
    """The safetensors file to open for a file of weights: itself, or what was imported from it.

    That is `<hash of the file>.safetensors` in `folder()`, or a safetensors file of the same name next to it whose
    metadata has this hash.

    Raises:
        ConfigError: the file was not imported.
    """
    path = Path(path)
    if not is_foreign(path):
        return path
    digest = sha256(path)
    imported = folder() / f"{digest}{ENDING}"
    if imported.is_file():
        return imported
    sibling = path.with_suffix(ENDING)
    if sibling.is_file() and _origin(sibling) == digest:
        return sibling
    raise ConfigError(
        f"weights {path}: written by torch.save, which may hold a program, so no run opens it; read its tensors once "
        f"by: segda import {shlex.quote(str(path))}"
    )


def keep(path: Path, out: Path | None = None) -> tuple[Path, int]:
    """Import a file of `torch.save`: write its tensors to `out`, by default in `folder()`, as safetensors.

    The file holds a flat mapping of names to tensors, also under `state_dict` or `model`.

    Returns:
        The file written, whole or not at all, and its number of tensors.

    Raises:
        ConfigError: there is no such file, it holds something else, or `out` does not end in `.safetensors`.
        ArtefactError: the file cannot be written.
    """
    if out is not None and is_foreign(out):
        raise ConfigError(f"--out: {out}; expected a name that ends in {ENDING}")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; correct the path")
    if not is_foreign(path):
        raise ConfigError(f"{path}: is safetensors already; name it in the config as it is")
    tensors, digest = _tensors(path), sha256(path)
    out = out or folder() / f"{digest}{ENDING}"
    try:
        content = safetensors.torch.save(tensors, metadata={_ORIGIN: digest})
    except (KeyError, ValueError, SafetensorError) as error:
        raise ConfigError(f"{path}: holds tensors that safetensors cannot ({error}); save them as float32") from None
    write_whole(out, content)
    return out, len(tensors)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The tensors in a foreign file, copied, by name."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    # A damaged file, or one with more than tensors, can fail anywhere in the reader.
    except Exception as error:
        reason = " ".join(str(error).split("\n")[0].split())[:160] or type(error).__name__
        raise ConfigError(
            f"{path}: not readable as tensors ({reason}); expected a state dict written by torch.save: have its "
            "author save that alone"
        ) from None
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(f"{path}: holds {_called(content)}, expected a mapping of names to tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ConfigError(
                f"{path}: holds {_called(value)} as {str(name)[:80]!r}, expected a flat mapping of names to tensors"
            )
    # Copies, since the format refuses tensors that share memory.
    return {name: tensor.detach().clone().contiguous() for name, tensor in content.items()}


def _called(value: Any) -> str:
    if isinstance(value, Mapping) and not value:
        return "nothing"
    return f"a {type(value).__name__}"


def _origin(path: Path) -> str | None:
    """The hash of the file that a safetensors file was imported from; `None` where it has none."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get(_ORIGIN)
    except (OSError, SafetensorError):
        return None
