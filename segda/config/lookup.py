"""From a name in a YAML to the module of that name: `encoder: {name: x}` is `segda/networks/encoders/x.py`."""

import difflib
import importlib
import os
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from segda.errors import ConfigError

_allowed_plugins: set[str] = set()
_shadowing: dict[Path, None] = {}  # in the order in which they were found


def allow_plugin(package: str) -> None:
    """Let dotted names of `package` be imported. Only the command line calls this, so a YAML alone runs no code."""
    _allowed_plugins.add(package.split(".")[0])


def plugins_allowed() -> bool:
    """Whether configs may name code outside segda."""
    return bool(_allowed_plugins)


def note_shadowing(path: Path) -> None:
    """Note that a name meant this file, which hides what segda ships by that name."""
    _shadowing[path.absolute()] = None


def shadowing() -> str:
    """The noted files as one sentence; empty if there are none."""
    files = ", ".join(os.path.relpath(path) for path in _shadowing)
    return f"{files}: used in place of what segda ships by that name; rename it if that is not meant" if files else ""


def forget_shadowing() -> None:
    """Begin anew: what was noted before belonged to another command of this process."""
    _shadowing.clear()


def names(package: str) -> list[str]:
    """The component names that a package offers: its modules, sorted."""
    path = importlib.import_module(package).__path__
    return sorted(each.name for each in pkgutil.iter_modules(path))


def nearest(name: str, valid: Iterable[str]) -> str:
    """An error's suggestion for `name`: the nearest valid name, else all of them."""
    choices = sorted(valid)
    close = nearest_of(name, choices)
    return f"did you mean {close!r}?" if close else f"valid: {', '.join(choices) or 'none'}"


def nearest_of(name: str, valid: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The valid name that is nearest, whatever is written in capitals or with dashes; `None` if none is near.

    `cutoff`, from 0 to 1, is how much of it must be alike.
    """
    plain = {_plain(each): each for each in sorted(valid, reverse=True)}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")


def module(package: str, name: str) -> ModuleType:
    """Import the component `name` of `package`; a dotted name is outside code of an allowed plugin.

    Raises:
        ConfigError: no such component, or a dotted name whose package was not allowed or is not installed.
    """
    if "." in name:
        if name.split(".")[0] not in _allowed_plugins:
            raise ConfigError(f"{name!r} is code outside segda; allow it by name: --plugin {name.split('.')[0]}")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # The module is there; something that it needs is not.
            raise ConfigError(f"no module {name!r}; install its package, or correct the name") from None
    valid = names(package)
    if name not in valid:
        kind = package.rsplit(".", 1)[-1].removesuffix("s").replace("_", " ")
        raise ConfigError(f"unknown {kind} {name!r}; {nearest(name, valid)}")
    return importlib.import_module(f"{package}.{name}")
