"""What label images of any trainer hold, where no reader says: numbers or colours, and what they mean.

A folder of label images holds one of a few things: ids of Cityscapes, its train ids, indices of a label space's
classes, or colours. All values of all files show which, but for sets of few classes: there, somebody has to say.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from segda.data.decode import read_channels, read_index
from segda.data.label_decoder import ranges
from segda.errors import ConfigError, DataError
from segda.label_space import LabelSpace
from segda.label_spaces import cityscapes

COLOUR = 1 << 24
"""Added to the 24 bits of a colour, `red << 16 | green << 8 | blue`, to tell it from a number."""

MOST = 4096
"""Values of one file beyond which it is a picture, and no label image."""

Reading = Mapping[int, str | None]
"""Value to class name; a name that the label space lacks, or `None`, is ignored."""


def read_values(path: Path) -> np.ndarray:
    """The values of a label image: int32 `[H, W]`, numbers of one channel or a palette as they are stored.

    Pictures of three channels give `COLOUR` and 24 bits; alpha is left out.

    Raises:
        DataError: the file is broken, or no label image: JPEG, colours of 16 bits, or thousands of values.
    """
    pixels = read_channels(path) if _has_colours(path) else None
    if pixels is None or pixels.ndim == 2 or pixels.dtype != np.uint8:
        values = read_index(path).astype(np.int32)
    else:
        blue, green, red = (pixels[:, :, channel].astype(np.int32) for channel in range(3))
        values = (red << 16 | green << 8 | blue) + COLOUR
    distinct = len(np.unique(values[:: max(1, len(values) // 64)]))
    if distinct > MOST:
        raise DataError(f"{path}: holds {distinct} values in few rows, so it is no label image; give ids or colours")
    return values


def _has_colours(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return len(image.getbands()) > 2
    except Exception:  # whatever is wrong with it, decoding it says so
        return False


def readings(space: LabelSpace) -> dict[str, Reading]:
    """What the values of label images may mean in a label space: as `ids`, `train-ids`, `indices`, `colours`."""
    indices: dict[int, str | None] = {**dict(enumerate(space.classes)), space.ignore_index: None}
    found: dict[str, Reading] = {}
    street = cityscapes.SPACE
    if space.ids:
        found["ids"] = dict(space.ids)
    elif set(space.classes) <= set(street.classes):
        found |= {"ids": cityscapes.IDS, "train-ids": {**dict(enumerate(street.classes)), street.ignore_index: None}}
    if indices not in found.values():
        found["indices"] = indices
    colours: dict[tuple[int, int, int], str | None] = {(0, 0, 0): None}
    if "train-ids" in found:
        colours |= cityscapes.COLOURS
    colours |= dict(space.colours) or dict(zip(space.palette, space.classes, strict=True))
    found["colours"] = {COLOUR + (red << 16 | green << 8 | blue): name for (red, green, blue), name in colours.items()}
    return found


def are_colours(values: Collection[int]) -> bool:
    """Whether some of the values are colours other than grey."""
    return any(value >= COLOUR and len({value >> 16 & 255, value >> 8 & 255, value & 255}) > 1 for value in values)


def read_as(
    pixels: Mapping[int, int], space: LabelSpace, kind: str | None = None, named: str = ""
) -> tuple[str, Reading]:
    """What the values of a set mean, from all that occur, and its name in `readings`.

    Grey in three channels counts as numbers, unless other values are colours. Values that the reading lacks are faults.

    Args:
        pixels: value to number of pixels.
        space: of the classes.
        kind: what the user says they are; `None` to find out.
        named: what the files' names say, which is believed where it fits.

    Raises:
        ConfigError: the values fit several readings that differ, or the label space has no such reading.
    """
    every = {name: _of_grey(reading, pixels) for name, reading in readings(space).items()}
    if kind is not None:
        if kind not in every:
            raise ConfigError(f"{kind}: label space {space.name!r} has none; read them as one of {', '.join(every)}")
        return kind, every[kind]
    if are_colours(pixels):
        return "colours", every["colours"]
    every.pop("colours")
    fitting = {name: reading for name, reading in every.items() if pixels.keys() <= reading.keys()}
    if not fitting:
        best = max(every, key=lambda name: sum(count for value, count in pixels.items() if value in every[name]))
        return best, every[best]
    if named in fitting:
        return named, fitting[named]
    classes = {name: [_class(reading, value, space) for value in pixels] for name, reading in fitting.items()}
    first = next(iter(fitting))
    if all(each == classes[first] for each in classes.values()):
        return first, fitting[first]
    return _only_sensible(pixels, fitting, classes)


def _only_sensible(
    pixels: Mapping[int, int], fitting: Mapping[str, Reading], classes: Mapping[str, list[str | None]]
) -> tuple[str, Reading]:
    """The reading by which every value is a class, if the others leave most values without one.

    255, which nearly always is what is ignored, does not count.
    """
    numbers = [value & 255 if value >= COLOUR else value for value in pixels]
    counting = [index for index, number in enumerate(numbers) if number != 255]
    named = {name: sum(each[index] is not None for index in counting) for name, each in classes.items()}
    full = [name for name, count in named.items() if count == len(counting)]
    if len(full) == 1 and all(2 * count < len(counting) for name, count in named.items() if name not in full):
        return full[0], fitting[full[0]]
    values = ranges(dict.fromkeys(numbers))
    meanings = "; ".join(
        f"as {name} {', '.join(dict.fromkeys(str(value) for value in each if value))[:90] or 'nothing'}"
        for name, each in classes.items()
    )
    raise ConfigError(f"the values {values} may be {' or '.join(classes)} ({meanings})")


def _of_grey(reading: Reading, pixels: Collection[int]) -> Reading:
    """A reading of numbers that also has them as grey of three channels, where these occur."""
    grey = {value: value & 255 for value in pixels if value >= COLOUR} if not are_colours(pixels) else {}
    return {**reading, **{value: reading[number] for value, number in grey.items() if number in reading}}


def _class(reading: Reading, value: int, space: LabelSpace) -> str | None:
    return reading[value] if reading[value] in space.classes else None
