"""Weights written by `torch.save`: read once, by `segda import`, and opened as safetensors from then on.

Such a file is a pickle, which may hold a program. It is read only by that command, by a reader that takes nothing but
tensors, arrays and plain data (`weights_only`). The copy is named by the hash of its origin, so a config may still name
the origin: the bytes that a run starts from, and with them its key, stay the same.
"""

import argparse
import os
import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from segda.config.lookup import nearest
from segda.errors import ConfigError, reason
from segda.files import sha256, write_whole

ENDING = ".safetensors"
FOLDER_VARIABLE = "SEGDA_IMPORTED"
_ARRAY, _NUMBER = (cast(Any, each).__reduce__()[0] for each in (np.zeros(0), np.float64(0)))
# Of checkpoints that trainers write, what may be read besides tensors: settings, and arrays and numbers of NumPy.
_PLAIN: list[Any] = [
    argparse.Namespace, np.ndarray, np.dtype, *{type(np.dtype(code)) for code in "?bBhHiIlLqQefd"},
    *((rebuild, f"numpy.{core}.multiarray.{rebuild.__name__}") for core in ("core", "_core")
      for rebuild in (_ARRAY, _NUMBER)),
]  # fmt: skip
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


def keep(path: Path, out: Path | None = None, part: str | None = None) -> tuple[Path, int, list[str]]:
    """Import a file of `torch.save`: write its tensors to `out`, by default in `folder()`, as safetensors.

    The file holds a mapping of names to tensors, by itself or as checkpoints of trainers hold it: below other names,
    whose mappings are joined by dots where there are several (`model.conv1.weight`, `ema.conv1.weight`). `part`, the
    first of these names, takes what is below it, of safetensors, too; `out` then has to be named, since a config that
    names the file itself means all of it.

    Returns:
        The file written, whole or not at all, its number of tensors, and the names of what is no tensor.

    Raises:
        ConfigError: there is no such file, it holds no tensors or none in that part, or `out` does not end in
            `.safetensors`.
        ArtefactError: the file cannot be written.
    """
    if out is not None and is_foreign(out):
        raise ConfigError(f"--out: {out}; expected a name that ends in {ENDING}")
    if part is not None and out is None:
        raise ConfigError("--part: needs a file of its own for it, to be named in configs; add --out FILE.safetensors")
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; correct the path")
    if part is None and not is_foreign(path):
        raise ConfigError(f"{path}: is safetensors already; name it in the config as it is")
    tensors, others = _tensors(path)
    metadata = {}
    if part is None:
        metadata = {_ORIGIN: sha256(path)}
        out = out or folder() / f"{metadata[_ORIGIN]}{ENDING}"
    else:
        prefix = f"{part.removesuffix('.')}."
        parts = sorted({name.split(".")[0] for name in tensors})
        tensors = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
        if not tensors:
            raise ConfigError(f"--part: {path} holds nothing below {prefix!r}; {nearest(part, parts)}")
    assert out is not None
    try:
        content = safetensors.torch.save(tensors, metadata=metadata)
    except (KeyError, ValueError, SafetensorError) as error:
        raise ConfigError(
            f"{path}: holds tensors that safetensors cannot ({reason(error)}); save them as float32"
        ) from None
    write_whole(out, content)
    return out, len(tensors), others


def _tensors(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors in a file, copied, by name; and the names of what else it holds."""
    if not is_foreign(path):
        try:
            return safetensors.torch.load_file(path), []
        except (OSError, ValueError, SafetensorError) as error:
            raise ConfigError(
                f"{path}: not readable as tensors ({text_in(path) or reason(error)}); expected safetensors"
            ) from None
    try:
        with torch.serialization.safe_globals(_PLAIN), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, torch says in two lines that it takes another way
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    # A damaged file, or one with more than tensors, can fail anywhere in the reader.
    except Exception as error:
        foreign = re.search(r"GLOBAL (\S+)", str(error))
        if foreign is None:
            found = text_in(path) or ("a TorchScript program" if "TorchScript" in str(error) else "")
            # What torch says where it knows no more is about its own options.
            found = found or ("of another kind" if "weights_only" in str(error) else reason(error, 160))
            raise ConfigError(
                f"{path}: not readable as tensors ({found}); expected a state dict written by torch.save: have its "
                "author save that alone"
            ) from None
        raise ConfigError(
            f"{path}: not readable as tensors: holds a {foreign[1]}, which only its own program can open; in that "
            "program, if you trust the file, torch.load it with weights_only=False and torch.save the tensors alone: "
            "`.state_dict()` of a whole network, ['state_dict'] of a checkpoint"
        ) from None
    tensors, others = _flat(content) if isinstance(content, Mapping) else ({}, [])
    if not tensors:
        raise ConfigError(f"{path}: holds {_called(content)}, expected names with tensors")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_quantized:
            kind = "quantised" if tensor.is_quantized else "sparse"
            raise ConfigError(f"{path}: {name[:80]!r} is {kind}, expected dense tensors of numbers; save them so")
    # Copies, since the format refuses tensors that share memory.
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, others


def text_in(path: Path) -> str:
    """What a file of text is that was taken for weights; empty for other files.

    Raises:
        ConfigError: it stands for another file, which is to be fetched.
    """
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise ConfigError(f"{path}: a pointer of Git LFS, not the file that it stands for; fetch that: git lfs pull")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ConfigError(f"{path}: a web page, not the file that it leads to; download that")
    return "text, such as the list of several files" if start.startswith((b"{", b"[")) else ""


def _flat(content: Mapping[Any, Any]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors in nested mappings by dotted names, without the name of a mapping that holds all; and the rest."""
    tensors: dict[str, Tensor] = {}
    others: list[str] = []
    nested: dict[str, dict[str, Tensor]] = {}
    for name, value in content.items():
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            value = torch.from_numpy(value)
        if isinstance(name, str) and isinstance(value, Tensor):
            tensors[name] = value
        elif isinstance(name, str) and isinstance(value, Mapping) and not name.startswith("optim"):
            below, more = _flat(value)
            if below:
                nested[name] = below
                others += more
            else:
                others.append(name)
        else:
            others.append(str(name))
    if not tensors and len(nested) == 1:
        return next(iter(nested.values())), others
    for name, below in nested.items():
        tensors.update({f"{name}.{key}": tensor for key, tensor in below.items()})
    return tensors, others


def _called(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"no tensor by name, but {', '.join(str(key)[:40] for key in list(value)[:3])}" if value else "nothing"
    return f"a {type(value).__name__}"


def _origin(path: Path) -> str | None:
    """The hash of the file that a safetensors file was imported from; `None` where it has none."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return (file.metadata() or {}).get(_ORIGIN)
    except (OSError, SafetensorError):
        return None
