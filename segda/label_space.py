"""A label space: class names, palette and ignore index, and the tables that map native ids into it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from segda.config.lookup import module
from segda.errors import ConfigError

IGNORE_INDEX = 255


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a task. Class `i` is named `classes[i]` and drawn in `palette[i]` (8-bit RGB).

    Attributes:
        name: the name used in configs.
        classes: class names, in the order of their indices.
        palette: one RGB triple a class.
        ignore_index: the label value that neither trains nor scores.
        categories: the category of each class, in the order of the classes, for scores by category; empty for none.
        subspaces: names of label spaces over some of these classes, whose mean is reported next to the mean over all.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    ignore_index: int = IGNORE_INDEX
    categories: tuple[str, ...] = ()
    subspaces: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.palette):
            raise ConfigError(
                f"label space {self.name!r}: {len(self.classes)} classes but {len(self.palette)} palette entries; "
                "give one colour a class"
            )
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"label space {self.name!r}: a class name occurs twice; names must differ")
        if self.categories and len(self.categories) != len(self.classes):
            raise ConfigError(
                f"label space {self.name!r}: {len(self.classes)} classes but {len(self.categories)} categories; "
                "name the category of every class, or none"
            )

    @property
    def count(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def without(self, names: set[str], name: str, subspaces: tuple[str, ...] = ()) -> "LabelSpace":
        """A label space called `name`: the classes of this one but for some, in their order and colours."""
        pairs = zip(self.classes, self.palette, strict=True)
        colours = {label: colour for label, colour in pairs if label not in names}
        return LabelSpace(name, tuple(colours), tuple(colours.values()), self.ignore_index, subspaces=subspaces)

    def subsets(self) -> dict[str, tuple[str, ...]]:
        """The classes of each of the `subspaces`.

        Raises:
            ConfigError: there is no such label space, or it has a class that this one lacks.
        """
        subsets = {name: load(name).classes for name in self.subspaces}
        for name, classes in subsets.items():
            foreign = [each for each in classes if each not in self.classes]
            if foreign:
                raise ConfigError(
                    f"label space {self.name!r}: class {foreign[0]!r} of its subspace {name!r} is not among its classes"
                )
        return subsets

    def table(self, classes: Mapping[int, str | None]) -> np.ndarray:
        """The lookup table from a data set's native 8-bit ids, named by `classes`, to this space's indices.

        That is int16 `[256]`, with the ignore index for a name that this space lacks or `None`, and -1 for other ids.
        """
        table = np.full(256, -1, dtype=np.int16)
        for native, name in classes.items():
            table[native] = self.classes.index(name) if name in self.classes else self.ignore_index
        return table

    def colorize(self, label: np.ndarray) -> np.ndarray:
        """Draw a label map: integer `[H, W]` to uint8 RGB `[H, W, 3]`; ignored pixels are black."""
        colours = np.zeros((256, 3), dtype=np.uint8)
        colours[: self.count] = self.palette
        return colours[label]


def load(name: str) -> LabelSpace:
    """The label space called `name`: `SPACE` of `segda/label_spaces/<name>.py`.

    Raises:
        ConfigError: there is no such label space.
    """
    return module("segda.label_spaces", name).SPACE
