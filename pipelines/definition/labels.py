"""`labels` of a config: the name of a label space, a YAML file that describes one, or the description itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segda import label_space
from segda.config import loading as configs
from segda.config.validation import validate_options
from segda.errors import ConfigError

#: Keys of a data set's YAML that describe its label space and nothing of its files.
DESCRIPTION = ("palette", "things", "categories")
_SHARED = ("classes", "ignore", "colours", "ignore_colours", *DESCRIPTION)


def resolved(labels: Any, path: str, user: Path | None = None) -> Any:
    """`labels` at `path` of a config as results record it: names as they are, everything else as `own`'s content.

    A file is looked up as other configs are, first next to `user`, the file that mentions it. It may be a data set's
    YAML: what that says of classes is the label space.

    Raises:
        ConfigError: there is no such file, or the description is wrong.
    """
    try:
        if isinstance(labels, str) and labels.endswith((".yaml", ".yml")):
            path = f"{path}: {configs.find(labels, 'data', user)}"
            labels = _read(configs.find(labels, "data", user))
        if not isinstance(labels, Mapping):
            return labels
        return label_space.content(label_space.own(**validate_options(label_space.own, labels, "")))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(file: Path) -> dict[str, Any]:
    content = configs.load(file, "data")
    if "root" in content:
        content = {key: content[key] for key in _SHARED if key in content}
    return {"name": file.stem, **content}
