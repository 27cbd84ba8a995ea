"""The data set that the options DATA, `--root` and `--split` of a command mean."""

from pathlib import Path

from pipelines.components import READER, check_component
from pipelines.stage import Data
from segda import config


def read(name: str, root: str | None, split: str | None) -> Data:
    """The config of a data set.

    Args:
        name: a file in `configs/data`, or a path that ends in `.yaml`.
        root: replaces the config's root; relative to the current folder, as paths on a command line are.
        split: replaces the config's split.

    Raises:
        ConfigError: no such config, or a wrong one.
    """
    content = config.load(config.find(name, "data"), "data")
    if root is not None:
        content["root"] = str(Path(root).absolute())
    if split is not None:
        content["split"] = split
    data = config.validate(Data, content, name)
    check_component("segda.data.readers", data, name, READER)
    return data
