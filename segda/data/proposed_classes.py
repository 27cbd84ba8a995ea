"""Classes for label images of somebody's own: a known numbering that their values fit, or a class for each value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from segda.data.decode import palette_of
from segda.data.label_decoder import ranges
from segda.data.label_values import COLOUR, Reading, are_colours, read_as, readings
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace
from segda.label_spaces import cityscapes

MOST = 64
"""Classes that are proposed; label images with more values are something else, such as instances or depth."""

_FEW = 8


class Proposal(NamedTuple):
    """Classes of a set of label images.

    Attributes:
        space: the label space, `None` for the `description` of one's own.
        options: what the reader `folder` needs besides: `classes` and `ignore`, or `colours` and `ignore_colours`.
        description: what a YAML of one's own label space holds.
        why: what was decided, and from what.
    """

    space: str | None
    options: dict[str, Any]
    description: dict[str, Any]
    why: str


def propose(pixels: Mapping[int, int], first: Path, space: LabelSpace | None = None) -> Proposal:
    """Classes for label images whose values are the keys of `pixels`, which has the number of pixels of each.

    Args:
        pixels: from `segda.data.label_values.read_values`.
        first: one of the files.
        space: the classes that the user names; `None` to propose some.

    Raises:
        ConfigError: the values are not those of the label space, or may be read in several ways.
        DataError: they are no classes, or one alone.
    """
    plain = dict(pixels)
    if not are_colours(pixels):  # grey of three channels counts as numbers
        plain = {value & 255 if value >= COLOUR else value: count for value, count in pixels.items()}
    if space is not None:
        try:
            kind, reading = read_as(plain, space)
        except ConfigError as error:
            raise ConfigError(
                f"{first} and its like: {error}; describe the folder in a YAML that names its `classes` "
                "(docs/own_data.md), and give that as --source"
            ) from None
        unknown = [value for value in plain if value not in reading]
        if unknown:
            wrong = _colour(unknown[0]) if unknown[0] >= COLOUR else unknown[0]
            raise ConfigError(
                f"{first} and its like hold {wrong}, which is none of the {kind} of label space {space.name!r}; name "
                "the classes that they have: --labels"
            )
        return Proposal(space.name, _options(space, kind, reading), {}, f"{_said(plain)}: {kind} of {space.name}")
    known = _street(plain)
    if known is not None:
        street = cityscapes.SPACE
        return Proposal(
            street.name, _options(street, known, readings(street)[known]), {},
            f"{_said(plain)}: {known} of Cityscapes, so its 19 classes; for others name --labels",
        )  # fmt: skip
    return _own(plain, first)


def _street(pixels: Mapping[int, int]) -> str | None:
    """How the values are Cityscapes' beyond reasonable doubt, if they are."""
    every = readings(cityscapes.SPACE)
    fits = {kind: pixels.keys() <= reading.keys() for kind, reading in every.items()}
    classes = {
        kind: len({reading.get(value) for value in pixels} & set(cityscapes.SPACE.classes))
        for kind, reading in every.items()
    }
    if are_colours(pixels):
        return "colours" if fits["colours"] and classes["colours"] >= _FEW else None
    if fits["train-ids"] and classes["train-ids"] == cityscapes.SPACE.count:
        return "train-ids"
    return "ids" if fits["ids"] and not fits["train-ids"] and classes["ids"] >= _FEW else None


def _options(space: LabelSpace, kind: str, reading: Reading) -> dict[str, Any]:
    """A reading as options of the reader `folder`."""
    if kind == "colours":
        named: dict[str, list[list[int]]] = {}
        ignored = []
        for value, name in reading.items():
            if value >= COLOUR and name in space.classes:
                named.setdefault(str(name), []).append(_colour(value))
            elif value >= COLOUR:
                ignored.append(_colour(value))
        single = {name: colours[0] if len(colours) == 1 else colours for name, colours in named.items()}
        return {} if space.colours else {"colours": single, "ignore_colours": ignored}
    if kind == "ids" and space.ids:
        return {}
    numbers = {value: name for value, name in reading.items() if value < COLOUR}
    classes = {value: name for value, name in numbers.items() if name in space.classes}
    return {"classes": classes, "ignore": _listed(dict.fromkeys(numbers.keys() - classes.keys()))}


def _own(pixels: Mapping[int, int], first: Path) -> Proposal:
    """A class for each value."""
    values = sorted(pixels)
    if len(values) > MOST:
        what = "colours" if values[-1] >= COLOUR else "numbers"
        raise DataError(
            f"{first} and its like hold {len(values)} {what}, more than {MOST} classes; if several are one class, "
            "describe the classes in a YAML (docs/own_classes.md) and name it: --labels FILE.yaml"
        )
    if are_colours(values):
        colours = {f"class_{number}": _colour(value) for number, value in enumerate(values)}
        return Proposal(None, {}, {"colours": colours}, f"{len(values)} colours: a class for each, to be renamed")
    ignored = 255 in values and len(values) > 2
    classes = {value: f"class_{value}" for value in values if not (ignored and value == 255)}
    if len(classes) < 2:
        raise DataError(
            f"{first} and its like hold {_said(pixels)} alone, one class; expected two or more, one may be the "
            "background"
        )
    description: dict[str, Any] = {"classes": classes, **({"ignore": 255} if ignored else {})}
    palette = palette_of(first)
    if palette is not None:
        colours = {name: list(palette[3 * value : 3 * value + 3]) for value, name in classes.items()}
        if len({tuple(colour) for colour in colours.values()}) == len(colours):
            description["palette"] = colours
    why = f"{_said(pixels)}: a class for each{', 255 ignored' if ignored else ''}, to be renamed"
    return Proposal(None, {}, description, why)


def _said(pixels: Mapping[int, int]) -> str:
    return f"{len(pixels)} colours" if are_colours(pixels) else f"the values {ranges(dict.fromkeys(pixels))}"


def _colour(value: int) -> list[int]:
    return [value >> 16 & 255, value >> 8 & 255, value & 255]


def _listed(values: Mapping[int, None]) -> list[int | str]:
    """Numbers and ranges of them, as the reader takes them."""
    return [int(part) if part.isdigit() else part for part in ranges(values).split(", ") if part]
