"""ImageNet weights into an encoder: from a local file, or downloaded where a config asks for them by name."""

import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from segda.errors import ConfigError, SegdaError, reason
from segda.networks import import_weights
from segda.terminal.escape import escape

IMAGENET = "imagenet"
_CLASSIFIERS = ("fc.", "classifier.", "head.")
# What torch.compile, FSDP and activation checkpointing put between the names of a network and its layers.
_LAYER_WRAPPERS = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
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
        raise ConfigError(
            f"encoder {encoder}: weights {IMAGENET!r} could not be downloaded ({reason(error, 120)}); connect, or give "
            "`weights` the path of a file"
        ) from error


def load_pretrained(
    module: nn.Module, path: str, rename: Callable[[str], str] | None = None, optional: tuple[str, ...] = ()
) -> None:
    """Copy the weights in a file into `module`, which must take all of them; a classifier in the file is dropped.

    The file is safetensors, or one of torch.save that was imported (`import_weights`). It may hold more networks: the
    module's tensors are those below the one prefix, such as `model.encoder.`, below which all of them are, or those
    without a prefix; a line says what was left out. `rename` maps names in the file to the module's, which for encoders
    are timm's or torchvision's; tensors whose names begin with one of `optional` may be missing or of another shape.

    Raises:
        ConfigError: the file is missing, damaged or not imported, does not fit, or fits below several prefixes.
    """
    tensors = _read(path)
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    parts = [_Part.below(prefix, names, tensors, expected, rename, optional) for prefix, names in _below(tensors)]
    fitting = [part for part in parts if part.fits]
    if not fitting:
        best = max(parts, key=lambda part: (len(part.loaded) - len(part.reshaped), -len(part.prefix)), default=None)
        raise ConfigError(
            f"weights {path} do not fit {type(module).__name__}: "
            + (
                "no tensor in it; give the file of the same architecture"
                if best is None
                else best.misfit(tensors, expected)
            )
        )
    chosen = fitting[0]  # the shortest prefix, which is none where that fits
    others = [part.prefix for part in fitting[1:] if chosen.prefix and not chosen.equals(part)]
    if others:
        raise ConfigError(
            f"weights {path}: {type(module).__name__} fits below {chosen.prefix!r} and {others[0]!r}, whose values "
            f"differ; write the right one to a file of its own: segda import {shlex.quote(path)} --part "
            f"{shlex.quote(chosen.prefix[:-1])} -o FILE.safetensors"
        )
    broken = next((name for name, tensor in chosen.loaded.items() if not tensor.float().isfinite().all()), None)
    if broken is not None:
        raise ConfigError(
            f"weights {path}: {broken} holds values that are no finite numbers; give an earlier checkpoint"
        )
    left_out = chosen.left_out(tensors, optional)
    if chosen.prefix or left_out:
        where = f" below {chosen.prefix!r}" if chosen.prefix else ""
        _say(f"weights {path}: {len(chosen.loaded)} tensors{where} taken, left out: {_tops(left_out)}")
    # Some of smp's encoders replace load_state_dict; everything is checked, so torch's own does it.
    nn.Module.load_state_dict(module, chosen.loaded, strict=False)


@dataclass(frozen=True)
class _Part:
    """The tensors of a file below one prefix, compared with what a module expects.

    Attributes:
        prefix: such as `model.encoder.`; empty for the file itself.
        names: name in the file to the module's.
        loaded: the module's tensors that were found.
        missing, reshaped: the module's names that were not found, or of another shape.
        unexpected: names that the module lacks; `larger` of them lie within its own layers, so it is another network.
    """

    prefix: str
    names: dict[str, str]
    loaded: dict[str, Tensor]
    missing: list[str]
    reshaped: list[str]
    unexpected: list[str]
    larger: bool

    @classmethod
    def below(
        cls,
        prefix: str,
        originals: list[str],
        tensors: Mapping[str, Tensor],
        expected: Mapping[str, tuple[int, ...]],
        rename: Callable[[str], str] | None,
        optional: tuple[str, ...],
    ) -> "_Part":
        names = {each: each.removeprefix(prefix) for each in originals}
        if rename is not None:
            names = {each: rename(name) for each, name in names.items()}
        loaded = {name: tensors[each] for each, name in names.items() if name in expected}
        for name in [name for name in loaded if name.startswith(optional) and loaded[name].shape != expected[name]]:
            del loaded[name]
        unexpected = [name for name in names.values() if name not in expected and not _is_classifier(name)]
        own = {_top(name) for name in expected}
        # Files from before torch 0.4.1 have no count of batches; only averaging without momentum needs it.
        return cls(
            prefix, names, loaded,
            [
                name for name in expected
                if name not in loaded and not name.endswith("num_batches_tracked") and not name.startswith(optional)
            ],
            [name for name in loaded if tuple(loaded[name].shape) != expected[name]],
            unexpected,
            any(_top(name) in own or _top(name).isdigit() for name in unexpected),
        )  # fmt: skip

    @property
    def fits(self) -> bool:
        return not (self.missing or self.reshaped or self.larger)

    def equals(self, other: "_Part") -> bool:
        return all(
            torch.equal(tensor, other.loaded[name]) for name, tensor in self.loaded.items() if name in other.loaded
        )

    def left_out(self, tensors: Iterable[str], optional: tuple[str, ...]) -> list[str]:
        """The names in the file of what is not loaded, classifiers of encoders aside, without what precedes them."""
        parent = self.prefix[: self.prefix[:-1].rfind(".") + 1]
        names = {each: self.names.get(each, each) for each in tensors}
        return [
            each.removeprefix(self.prefix if each in self.names else parent) for each, name in names.items()
            if not (each in self.names and name in self.loaded)
            and (name.startswith(optional) or not _is_classifier(name))
        ]  # fmt: skip

    def misfit(self, tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> str:
        """What is wrong, and the remedy."""
        if not self.loaded:
            return (
                f"none of its {len(tensors)} tensors has such a name as {next(iter(expected))} ({_tops(tensors)}); "
                "give a file of that network, from a library that names its layers so"
            )
        counts = (
            f"{_count('missing', self.missing)}, {_count('unexpected', self.unexpected)}, "
            f"{_count('of another shape', self.reshaped)}"
        )
        for name in self.reshaped[:1]:
            counts += f", which is {list(self.loaded[name].shape)}, not {list(expected[name])}"
        where = f"below {self.prefix!r} " if self.prefix else ""
        return f"{where}{counts}; give the file of the same architecture, all of it where it is in several"


def _below(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Every prefix of names, which ends in a dot or is empty, with the names below it; the shortest first."""
    below: dict[str, list[str]] = {}
    for name in names:
        for end in (0, *(place + 1 for place, letter in enumerate(name) if letter == ".")):
            below.setdefault(name[:end], []).append(name)
    return iter(sorted(below.items(), key=lambda entry: (len(entry[0]), entry[0])))


def _read(path: str) -> dict[str, Tensor]:
    """The tensors in a weights file, by name, without what wraps layers of compiled and sharded networks."""
    if not Path(path).is_file():
        raise ConfigError(f"weights {path}: no such file; correct the path, or use `weights: {IMAGENET}` to download")
    try:
        content = safetensors.torch.load_file(import_weights.safetensors_of(path))
    except (OSError, ValueError, SafetensorError) as error:
        found = import_weights.text_in(Path(path)) or reason(error)
        raise ConfigError(f"weights {path}: not readable ({found}); expected tensors as safetensors") from error
    return {_LAYER_WRAPPERS.sub("", name): tensor for name, tensor in content.items()}


def _is_classifier(name: str) -> bool:
    return name.startswith(_CLASSIFIERS)


def _top(name: str) -> str:
    return name.split(".")[0]


def _tops(names: Iterable[str]) -> str:
    """How many names there are below each first part: `42 of decoder, 2 of head`."""
    counts = Counter(map(_top, names)).most_common()
    more = f", {len(counts) - 5} more" if len(counts) > 5 else ""
    return ", ".join(f"{count} of {top}" for top, count in counts[:5]) + more or "nothing"


@cache
def _say(line: str) -> None:
    """Print a line, once: networks are built several times, and in every process of a launch."""
    if os.environ.get("RANK", "0") == "0":
        print(escape(line), file=sys.stderr, flush=True)


def _count(what: str, names: list[str]) -> str:
    """`3 missing (a, b, ...)`."""
    if not names:
        return f"0 {what}"
    examples = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{len(names)} {what} ({examples})"
