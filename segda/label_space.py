"""A label space: class names, palette and ignore index, and the tables that map native ids into it."""

import colorsys
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from segda.config import lookup
from segda.config.lookup import module, nearest
from segda.errors import ConfigError

IGNORE_INDEX = 255
Colour = tuple[int, int, int]
"""8-bit RGB."""
Labels = str | Mapping[str, Any]
"""What a config's `labels` holds: the name of a label space, or the content of one's own, as `own` takes it."""
FORM = (
    "for classes of your own, name a YAML file (labels: coins.yaml) that holds `classes: {0: background, 1..255: coin}`"
)


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a task. Class `i` is named `classes[i]` and drawn in `palette[i]`.

    Attributes:
        name: the name used in configs.
        classes: class names, in the order of their indices.
        palette: one RGB triple a class.
        ignore_index: the label value that neither trains nor scores.
        categories: the category of each class, in the order of the classes, for scores by category; empty for none.
        subspaces: names of label spaces over some of these classes, whose mean is reported next to the mean over all.
        things: the classes whose objects can be counted; predictions name them.
        ids: native id to class name, `None` where ignored: what label files hold if their data set does not say.
        colours: the same for coloured label files.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    ignore_index: int = IGNORE_INDEX
    categories: tuple[str, ...] = ()
    subspaces: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    ids: tuple[tuple[int, str | None], ...] = ()
    colours: tuple[tuple[Colour, str | None], ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.palette):
            raise ConfigError(
                f"label space {self.name!r}: {len(self.classes)} classes but {len(self.palette)} palette entries; "
                "give one colour a class"
            )
        if len(self.classes) > IGNORE_INDEX:
            raise ConfigError(
                f"label space {self.name!r}: {len(self.classes)} classes; labels have 8 bits, so at most {IGNORE_INDEX}"
            )
        twice = next((name for index, name in enumerate(self.classes) if name in self.classes[:index]), None)
        if twice is not None:
            raise ConfigError(f"label space {self.name!r}: a class name occurs twice, {twice!r}; names must differ")
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
        things = tuple(label for label in self.things if label not in names)
        return LabelSpace(
            name, tuple(colours), tuple(colours.values()), self.ignore_index, subspaces=subspaces, things=things
        )

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
        """The lookup table from a data set's native ids, named by `classes`, to this space's indices.

        That is int16 `[256]`, or longer where ids go beyond 8 bits, with the ignore index for a name that this space
        lacks or `None`, and -1 for other ids.
        """
        table = np.full(max([255, *classes]) + 1, -1, dtype=np.int16)
        for native, name in classes.items():
            table[native] = self.classes.index(name) if name in self.classes else self.ignore_index
        return table

    def colorize(self, label: np.ndarray) -> np.ndarray:
        """Draw a label map: integer `[H, W]` to uint8 RGB `[H, W, 3]`; ignored pixels are black."""
        colours = np.zeros((256, 3), dtype=np.uint8)
        colours[: self.count] = self.palette
        return colours[label]


def names_known_in(space: LabelSpace) -> frozenset[str]:
    """The classes of a label space and of shipped ones that contain it: what a data set may call its ids."""
    shipped = (load(name) for name in lookup.names("segda.label_spaces"))
    return frozenset(space.classes).union(*(each.classes for each in shipped if space.name in each.subspaces))


def load(labels: Labels) -> LabelSpace:
    """The label space called `labels`, `SPACE` of `segda/label_spaces/<labels>.py`; or the one that `own` makes of it.

    Raises:
        ConfigError: there is no such label space.
    """
    if not isinstance(labels, str):
        return own(**labels)
    try:
        space: LabelSpace = module("segda.label_spaces", labels).SPACE
        return space
    except ConfigError as error:
        raise ConfigError(f"{error}; {FORM}") from None


def own(
    name: str = "own",
    classes: list[str] | dict[int | str, str] | None = None,
    ids: dict[str, int | str | list[int | str]] | None = None,
    ignore: int | str | list[int | str] = [],  # noqa: B006
    colours: dict[str, Colour | list[Colour]] | None = None,
    ignore_colours: list[Colour] = [],  # noqa: B006
    palette: dict[str, Colour] | list[Colour] | None = None,
    things: list[str] = [],  # noqa: B006
    categories: dict[str, list[str]] | None = None,
) -> LabelSpace:
    """A label space of one's own, as a YAML describes it.

    Args:
        name: for messages and records.
        classes: class names in the order of their indices, or native id (`7`) or range of ids (`1..254`) to name, where
            the order is that in which the names first occur; `None`: the names of `colours`.
        ids: name to native ids and ranges of them, for a list of `classes`; `None`: a class's id is its index.
        ignore: native ids and ranges that neither train nor score.
        colours: name to the RGB colours of coloured label files, instead of ids.
        ignore_colours: RGB colours that neither train nor score.
        palette: the RGB colour in which each class is drawn; `None`: of `colours`, or colours that differ.
        things: the classes whose objects can be counted.
        categories: category to its classes, of which each is in one; `None` for none.

    Raises:
        ConfigError: no classes or too many; a name, id or colour occurs twice; a class lacks what others have.
    """
    if colours and (isinstance(classes, dict) or ids):
        raise ConfigError(
            "`colours` are those of coloured label files, but ids are given, too; keep one of both, draw by `palette`"
        )
    if isinstance(classes, dict) and ids:
        raise ConfigError("`classes` and `ids` both give ids; list the names alone in `classes`, or leave out `ids`")
    names = list(dict.fromkeys(classes.values())) if isinstance(classes, dict) else list(classes or colours or ())
    if not 2 <= len(names) <= IGNORE_INDEX:
        raise ConfigError(
            f"classes: found {len(names)} names; expected 2 to {IGNORE_INDEX}, as in `classes: {{0: background, "
            "1: coin}`: what is no object is a class, too"
        )
    blank = next((each for each in names if not each.strip() or not each.isprintable()), None)
    if blank is not None:
        raise ConfigError(f"class name {blank!r}; expected one that can be read")
    if isinstance(classes, dict):
        native = native_ids(classes.items(), ignore)
    elif ids:
        _check_names("ids", ids, names, complete=True)
        native = native_ids([(each, label) for label, given in ids.items() for each in _listed(given)], ignore)
    else:
        native = {} if colours else native_ids(enumerate(names), ignore)
    if colours:
        _check_names("colours", colours, names, complete=True)
    coloured = native_colours(colours or {}, ignore_colours)
    _check_names("things", things, names)
    return LabelSpace(
        name,
        tuple(names),
        _palette(palette, names, coloured),
        categories=_categories(categories, names),
        things=tuple(label for label in names if label in things),
        ids=tuple(sorted(native.items())),
        colours=tuple(sorted(coloured.items())),
    )


def content(space: LabelSpace) -> dict[str, Any]:
    """A label space of one's own as plain data, from which `own` makes it again."""
    of_class = {label: [each for each, its in space.ids if its == label] for label in space.classes}
    coloured = {label: [list(each) for each, its in space.colours if its == label] for label in space.classes}
    categories = {
        category: [label for label, its in zip(space.classes, space.categories, strict=True) if its == category]
        for category in space.categories
    }
    every = {
        "ids": of_class if space.ids else {},
        "ignore": [each for each, its in space.ids if its is None],
        "colours": coloured if space.colours else {},
        "ignore_colours": [list(each) for each, its in space.colours if its is None],
        "palette": [list(colour) for colour in space.palette],
        "things": list(space.things),
        "categories": categories,
    }
    return {"name": space.name, "classes": list(space.classes), **{key: given for key, given in every.items() if given}}


def native_ids(
    classes: Iterable[tuple[int | str, str]], ignore: int | str | Iterable[int | str] = ()
) -> dict[int, str | None]:
    """Native id of up to 16 bits to class name, `None` for those of `ignore`; each alone or in a range, `1..9`.

    Raises:
        ConfigError: no id, an id beyond 16 bits, or one that is given twice.
    """
    native: dict[int, str | None] = {}
    for key, name in (*classes, *((each, None) for each in _listed(ignore))):
        for each in _range(key):
            if each in native:
                both = f"{native[each]!r} and {name!r}" if name is not None else "`classes` and `ignore`"
                raise ConfigError(f"id {each} is in {both}; name each id once")
            native[each] = name
    return native


def native_colours(
    colours: Mapping[str, Colour | list[Colour]], ignore: Iterable[Colour] = ()
) -> dict[Colour, str | None]:
    """RGB colour of a coloured label to class name, `None` for those of `ignore`.

    Raises:
        ConfigError: a value beyond 8 bits, a colour that occurs twice, or more than 256 of them.
    """
    native: dict[Colour, str | None] = {}
    several: dict[str | None, list[Any]] = {
        name: [given] if isinstance(given[0], int) else list(given) for name, given in colours.items() if given
    }
    for name, given in (*several.items(), (None, list(ignore))):
        for each in given:
            colour = _checked(each)
            if colour in native:
                raise ConfigError(f"colours: {list(colour)}: a colour occurs twice; each must mean one class")
            native[colour] = name
    if len(native) > 256:
        raise ConfigError(f"colours: {len(native)} of them; expected at most 256")
    return native


def spread_colour(index: int, count: int) -> Colour:
    """A colour of `count`: hues spread around the circle, neighbours in three brightnesses."""
    red, green, blue = colorsys.hsv_to_rgb(index / count, 0.75, (1.0, 0.8, 0.6)[index % 3])
    return round(255 * red), round(255 * green), round(255 * blue)


def _listed(given: Any) -> Iterable[Any]:
    return (given,) if isinstance(given, int | str) else given


def _range(key: int | str) -> range:
    """The ids that `7`, `"7"` or `"1..254"` names."""
    ends = re.fullmatch(r"\s*(\d{1,9})(?:\s*(?:\.\.|-)\s*(\d{1,9}))?\s*", str(key))
    if ends is None:
        raise ConfigError(f"{key!r} is no id; expected a whole number or a range, then the class's name: 1..254: coin")
    first, last = int(ends[1]), int(ends[2] or ends[1])
    if last < first:
        raise ConfigError(f"{key!r} is an empty range of ids; write the smaller one first")
    if last > 65535:
        raise ConfigError(f"id {last} does not fit 16 bits (0..65535), which label files have at most")
    return range(first, last + 1)


def _checked(colour: Iterable[int]) -> Colour:
    red, green, blue = colour
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ConfigError(f"colour {[red, green, blue]}; expected red, green and blue from 0 to 255")
    return red, green, blue


def _check_names(key: str, given: Iterable[str], names: list[str], *, complete: bool = False) -> None:
    """Refuse names that are no class, and with `complete` classes that are not given."""
    for name in given:
        if name not in names:
            raise ConfigError(f"{key}: {name!r} is no class; {nearest(name, names)}")
    missing = [name for name in names if name not in given]
    if complete and missing:
        raise ConfigError(f"{key}: nothing for class {missing[0]!r}; give every class, or leave out `{key}`")


def _palette(
    given: dict[str, Colour] | list[Colour] | None, names: list[str], coloured: Mapping[Colour, str | None]
) -> tuple[Colour, ...]:
    """The colour of each class."""
    if given is None:
        first = {name: colour for colour, name in reversed([*coloured.items()])}
        return tuple(first.get(name, spread_colour(index, len(names))) for index, name in enumerate(names))
    if isinstance(given, dict):
        _check_names("palette", given, names, complete=True)
        given = [given[name] for name in names]
    elif len(given) != len(names):
        raise ConfigError(
            f"palette: {len(given)} colours for {len(names)} classes; give one a class, or name the class"
        )
    palette = tuple(_checked(colour) for colour in given)
    twice = next((index for index, colour in enumerate(palette) if colour in palette[:index]), None)
    if twice is not None:
        raise ConfigError(
            f"palette: {names[palette.index(palette[twice])]!r} and {names[twice]!r} are both {list(palette[twice])}; "
            "give each class a colour of its own"
        )
    return palette


def _categories(given: dict[str, list[str]] | None, names: list[str]) -> tuple[str, ...]:
    """The category of each class."""
    if not given:
        return ()
    of_class: dict[str, str] = {}
    for category, labels in given.items():
        _check_names(f"categories.{category}", labels, names)
        for label in labels:
            if label in of_class:
                raise ConfigError(f"categories: {label!r} is in {of_class[label]!r} and {category!r}; keep one")
            of_class[label] = category
    _check_names("categories", of_class, names, complete=True)
    return tuple(of_class[name] for name in names)
