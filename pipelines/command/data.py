"""The data set that the options DATA, `--root` and `--split` of a command mean."""

from pathlib import Path
from typing import Any

from pipelines.components import READER, check_component
from pipelines.stage import Data
from segda import config


def read(name: str, root: str | None, split: str | None) -> Data:
    """The config of a data set.

    Args:
        name: a file in `configs/data`, a path that ends in `.yaml`, or the folder of a finished export.
        root: replaces the config's root; relative to the current folder, as paths on a command line are.
        split: replaces the config's split.

    Raises:
        ConfigError: no such config, or a wrong one.
    """
    if (Path(name) / "dataset.json").is_file():
        content: dict[str, Any] = {"name": "adapted", "root": str(Path(name).absolute())}
    else:
        content = config.load(config.find(name, "data"), "data")
    if root is not None:
        content["root"] = str(Path(root).absolute())
    if split is not None:
        content["split"] = split
    data = config.validate(Data, content, name)
    check_component("segda.data.readers", data, name, READER)
    return data
