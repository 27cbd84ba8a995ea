"""From YAML to plain, resolved config: `base:` merge, names of files, `--set`, and paths below the data root."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_origin

import segda
from segda.config import lookup
from segda.config.validation import field_annotations, leaves
from segda.config.yaml_file import parse, read_mapping
from segda.errors import ConfigError

DATA_ROOT_VARIABLE = "SEGDA_DATA"
MAX_NAME = 255
ENDINGS = (".yaml", ".yml")
WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`: mappings merge deeply, everything else replaces, null removes an entry.

    >>> merge({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": 5}, "b": None})
    {'a': {'x': 5, 'y': 2}}
    """
    merged = dict(below)
    for name, value in above.items():
        if value is None and name in merged:
            del merged[name]
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def shipped(folder: str) -> Path:
    """The folder of the configs that come with segda: `pipelines`, `methods` or `data`."""
    return Path(segda.__file__).parent.parent / "configs" / folder


def find(name: str, folder: str, user: Path | None = None) -> Path:
    """The file of a name in a config: a path that ends in `.yaml`, or a bare name.

    Bare names are looked up in `configs/<folder>` here, then among the shipped configs (`pipelines`, `methods`,
    `data`); relative paths and bare pipeline names first next to `user`, the file that mentions them. What is found in
    place of a shipped one is remembered by `lookup.shadowing`.

    Raises:
        ConfigError: there is no such file.
    """
    if name.endswith(ENDINGS):
        candidates = [*([user.parent / name] if user else []), Path(name)]
        for path in candidates:
            if _is_file(path):
                return path
        looked = ", ".join(str(path) for path in candidates)
        raise ConfigError(f"{name}: no such file; looked for {looked}{_meant(name, folder, candidates)}")
    folders = [Path("configs") / folder, shipped(folder)]
    if user is not None and folder == "pipelines":
        folders.insert(0, user.parent)
    for path in (each / f"{name}{ending}" for each in folders for ending in ENDINGS):
        if _is_file(path):
            own = shipped(folder) / f"{name}.yaml"
            if own.is_file() and not own.samefile(path):
                lookup.note_shadowing(path)
            return path
    if os.sep in name:
        meant = _meant(name, folder, [Path(name)])
        raise ConfigError(f"{name}: no {folder} config there; expected the path of a .yaml file{meant}")
    raise ConfigError(f"no {folder} config called {name!r}; {lookup.nearest(name, names(folder, folders))}")


def names(folder: str, folders: Iterable[Path] = ()) -> list[str]:
    """The bare names that `find` knows, sorted: of `configs/<folder>` here and of what is shipped, or of `folders`."""
    searched = [*folders] or [Path("configs") / folder, shipped(folder)]
    return sorted({path.stem for each in searched for path in each.glob("*.y*ml")})


def _meant(name: str, folder: str, candidates: Iterable[Path]) -> str:
    """What may have been meant by a path that is none: what lies there by nearly that name, or a shipped config."""
    near = {path.stem for path in shipped(folder).glob("*.yaml")}
    for path in candidates:
        with suppress(OSError, ValueError):  # no such folder either, or a name that no folder can have
            near |= {str(each) for each in path.parent.iterdir() if each.is_dir() or each.suffix in ENDINGS}
    close = lookup.nearest_of(name, near, cutoff=0.7)
    return f"; did you mean {close!r}?" if close else ""


def _is_file(path: Path) -> bool:
    """As `Path.is_file`; false for a name that no file can have, too long or with a null byte."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def load(path: Path, folder: str, _open: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The mapping in a YAML file, laid over the files that its `base:` names.

    Raises:
        ConfigError: a file is missing or wrong, or the bases form a circle.
    """
    try:
        resolved = path.resolve()
    except (OSError, RuntimeError):
        raise ConfigError(f"{path}: a link that leads back to itself; repair it") from None
    if resolved in _open:
        raise ConfigError(f"{path}: is its own base, by way of {', '.join(step.name for step in _open)}")
    return with_base(read_mapping(path), folder, str(path), path, (*_open, resolved))


def with_base(
    content: Mapping[str, Any], folder: str, where: str, user: Path | None = None, _open: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """`content` laid over what its `base:` names, without the `base` key.

    Raises:
        ConfigError: `base` is no name, or its file is missing or wrong.
    """
    if "base" not in content:
        return dict(content)
    base = content["base"]
    if not isinstance(base, str):
        raise ConfigError(f"{where}: base: found {base!r}; expected the name of a file in configs/{folder}")
    rest = {name: value for name, value in content.items() if name != "base"}
    return merge(_named(base, folder, f"{where}: base", user, _open), rest)


def _named(
    name: str, folder: str, where: str, user: Path | None = None, _open: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """The content of a name's file; errors begin with `where`."""
    try:
        return load(find(name, folder, user), folder, _open)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def expand(model: Any, raw: Any, folders: Mapping[type, str], path: str, user: Path | None = None) -> Any:
    """`raw`, plain data at `path` of a config, with names of files, and `base:` in mappings, replaced by their content.

    `model` is the type expected of `raw`: a pydantic model, a union, a list or mapping of them; `folders` has the
    folder of configs for a model, and `user`, the pipeline's file, is where relative paths start.

    Raises:
        ConfigError: a named file is missing or wrong.
    """
    for leaf in leaves(model):
        if leaf in folders:
            if isinstance(raw, str):
                raw = _named(raw, folders[leaf], path, user)
            elif isinstance(raw, Mapping) and "base" in raw:
                raw = with_base(raw, folders[leaf], path, user)
        fields = field_annotations(leaf)
        origin, inner = get_origin(leaf), get_args(leaf)
        if isinstance(raw, Mapping) and fields:
            raw = {
                name: expand(fields[name], value, folders, f"{path}.{name}", user) if name in fields else value
                for name, value in raw.items()
            }
        elif isinstance(raw, Mapping) and origin is dict:
            raw = {name: expand(inner[1], value, folders, f"{path}.{name}", user) for name, value in raw.items()}
        elif isinstance(raw, list) and origin is list:
            raw = [expand(inner[0], value, folders, f"{path}.{index}", user) for index, value in enumerate(raw)]
    return raw


def parse_setting(text: str) -> tuple[list[str], Any]:
    """`a.b=value` as the path's parts and the value, which is read as YAML.

    >>> parse_setting("stages.align.steps=10")
    (['stages', 'align', 'steps'], 10)

    Raises:
        ConfigError: no `=`, an empty part, or a value that is not YAML.
    """
    path, equals, value = text.partition("=")
    parts = path.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {text}: expected a.b=value")
    try:
        return parts, parse(value)
    except ConfigError as error:
        raise ConfigError(f"--set {text}: {error}") from None


def apply_setting(content: dict[str, Any], parts: Iterable[str], value: Any) -> dict[str, Any]:
    """`content` with the entry at a path replaced, or removed where `value` is null and the entry exists.

    Missing mappings on the way are made, since a config may leave out what has a default; validation comes later.

    Raises:
        ConfigError: the path leads through something that is not a mapping.
    """
    first, *rest = parts
    changed: dict[Any, Any] = dict(content)
    numbers = {str(name): name for name in changed if isinstance(name, int)}
    key: Any = first if first in changed else numbers.get(first, first)
    if rest:
        below = changed.get(key, {})
        if isinstance(below, list) and rest[0] in map(str, range(len(below))):
            entries = apply_setting({str(i): item for i, item in enumerate(below)}, rest, value)
            changed[key] = list(entries.values())
        elif isinstance(below, Mapping):
            changed[key] = apply_setting(dict(below), rest, value)
        else:
            raise ConfigError(f"--set …{first}.{'.'.join(rest)}: {first!r} is {below!r}, which has no entries to set")
    elif value is None and key in changed:
        del changed[key]
    else:
        changed[key] = value
    return changed


def data_root() -> Path:
    """The folder of relative data roots and weights: `SEGDA_DATA`, else the current folder."""
    return _at_home(Path(os.environ.get(DATA_ROOT_VARIABLE) or "."))


def data_path(name: str) -> Path:
    """The file or folder of a `root` or `weights` entry of a config, whether or not it exists.

    Raises:
        ConfigError: no file can have that name, or it begins with the home of a user who has none.
    """
    if "\0" in name or any(len(os.fsencode(part)) > MAX_NAME for part in Path(name).parts):
        raise ConfigError(f"{name[:60]!r}: no file can have that name; correct the path")
    return (data_root() / _at_home(Path(name))).absolute()


def _at_home(path: Path) -> Path:
    """A path with `~` written out."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(f"{path}: there is no such user; write the path out") from None


def missing(path: Path) -> str:
    """The message when a file or folder of a config does not exist."""
    if os.environ.get(DATA_ROOT_VARIABLE):
        return f"{path} does not exist; check the path and {DATA_ROOT_VARIABLE}"
    return f"{path} does not exist; set {DATA_ROOT_VARIABLE} to the folder that holds the data"


def is_weights_file(value: Any) -> bool:
    """Whether a `weights` entry names a local file rather than published weights such as `imagenet`."""
    return isinstance(value, str) and ("/" in value or value.endswith(WEIGHT_SUFFIXES))


def place_weights(node: Any) -> Any:
    """Plain data with every local `weights` file below it as an absolute path."""
    if isinstance(node, Mapping):
        return {
            name: str(data_path(value)) if name == "weights" and is_weights_file(value) else place_weights(value)
            for name, value in node.items()
        }
    return [place_weights(item) for item in node] if isinstance(node, list) else node


def weights_files(node: Any) -> list[Path]:
    """Every local `weights` file that plain data names."""
    if isinstance(node, Mapping):
        files = [Path(value) for name, value in node.items() if name == "weights" and is_weights_file(value)]
        return files + [path for value in node.values() for path in weights_files(value)]
    return [path for item in node for path in weights_files(item)] if isinstance(node, list) else []
