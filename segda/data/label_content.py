"""What the labels of a data set hold, and whether that can be what the reader takes it for.

A reader believes any file whose numbers its map names. Files with other numbers under the same name (Cityscapes'
`labelTrainIds` called `labelIds`, the dummies of a test split, masks of 0 and 255) are readable, and their scores mean
nothing. Their content shows it: few labels are enough, since such a mistake is made for a whole set.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from segda.data.dataset import Dataset
from segda.data.decode import palette_of, read_index
from segda.data.label_decoder import LabelDecoder, names_in, ranges
from segda.data.pictures import LabelMaps, Pictures
from segda.errors import DataError
from segda.label_space import LabelSpace
from segda.label_spaces import cityscapes

LOOKED_AT = 16
"""Labels, spread evenly over a set, that are read before work begins."""

# Labels from which absent classes mean something, and pixels below which a mistaken numbering is not shown.
_FEW = 4
_OF_A_FOLDER = " (of a data set with `name: folder`)"
_LEAST_SHARE = 0.2


@dataclass
class Content:
    """What was found in label maps.

    Attributes:
        labels: how many were read.
        ids: native id to pixels.
        classes: class index to pixels, int64 `[256]`.
    """

    labels: int = 0
    ids: Counter[int] = field(default_factory=Counter)
    classes: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))

    def add(self, decoder: LabelDecoder, ids: np.ndarray) -> None:
        """Count one label map, native ids `[H, W]`."""
        self.labels += 1
        if ids.dtype == np.uint8:
            # Sorting them, as below, would take many times as long.
            counts = np.bincount(ids.ravel(), minlength=256)
            native = np.flatnonzero(counts)
            counts = counts[native]
        else:
            native, counts = np.unique(ids, return_counts=True)
        self.ids.update({int(each): int(count) for each, count in zip(native, counts, strict=True)})
        self.classes += np.bincount(decoder.to_classes(ids).ravel(), minlength=256)

    def merge(self, other: "Content") -> None:
        """Count what another one has counted."""
        self.labels += other.labels
        self.ids.update(other.ids)
        self.classes += other.classes


def decoder_of(dataset: Dataset) -> LabelDecoder:
    """The decoder of a data set's labels; that of a reader without native ids decodes class indices."""
    if isinstance(dataset.decode_label, LabelDecoder):
        return dataset.decode_label
    indices: dict[int, str | None] = {**dict(enumerate(dataset.space.classes)), dataset.space.ignore_index: None}
    return LabelDecoder(dataset.space, indices, dataset.decode_label)


def inspect(dataset: Dataset, *, skip_broken: bool = False) -> list[str]:
    """Read a few labels of a data set, the heads of their images, and one image; doubts about them, a line each.

    All labels are read where the few hold no pixel that counts.

    Args:
        dataset: with or without labels.
        skip_broken: whether files that cannot be read are left out, as the data set's user leaves them out.

    Raises:
        DataError: the labels cannot be those that the reader expects, a file cannot be read, or an id is in no map.
    """
    decoder, content, unknown = decoder_of(dataset), Content(), None
    is_labelled, found = any(sample.label is not None for sample in dataset.samples), list[str]()
    for number, index in enumerate(_spread(len(dataset))):
        if number >= LOOKED_AT and (not is_labelled or content.classes[: dataset.space.count].any()):
            break
        sample = dataset.samples[index]
        try:
            if isinstance(dataset.decode_image, Pictures):
                dataset.decode_image.look(sample.image)
                doubt = None if number else dataset.decode_image.doubt(sample.image)
                found += [] if doubt is None else [doubt]
            if sample.label is None:
                continue
            ids = decoder.read_ids(sample.label)
        except DataError:
            if skip_broken:
                continue
            raise
        if not ids.ndim:
            return found  # of one class an image; the reader has checked them all
        if decoder.unknown(ids):
            unknown = unknown or sample.label
            if skip_broken:
                continue
        content.add(decoder, ids)
    wrong = fault(dataset, content)
    if wrong is not None:
        raise DataError(f"{unknown or dataset.root}: {wrong}")
    if unknown is not None and not skip_broken:
        decoder(unknown)
    return found + doubts(dataset, content)


def _spread(count: int) -> Iterator[int]:
    """All numbers below `count`, the first `LOOKED_AT` of them spread evenly."""
    few = [number * count // LOOKED_AT for number in range(LOOKED_AT)] if count > LOOKED_AT else range(count)
    yield from few
    yield from sorted(set(range(count)) - set(few))


def fault(dataset: Dataset, content: Content) -> str | None:
    """Why the labels cannot be what the reader takes them for, or hold nothing that counts; `None` if they can."""
    if not content.labels:
        return None
    decoder, space = decoder_of(dataset), dataset.space
    other = _other_numbering(decoder, content)
    if other is not None:
        return (
            f"the ids of {content.labels} labels are {_ids(content)}: {other}, not the ids that reader "
            f"{dataset.name!r} expects ({ranges(decoder.classes)}); give the files with those ids, or name these ids "
            f"in `classes`{_OF_A_FOLDER}"
        )
    unknown = content.ids.keys() - decoder.classes.keys()
    remedy = _remedy(decoder, content, unknown) if unknown else None
    if remedy is not None:
        return (
            f"the ids of {content.labels} labels are {_ids(content)}, but the map names {ranges(decoder.classes)}; "
            f"{remedy}"
        )
    if content.classes[: space.count].any() or unknown:
        return None
    names = [str(decoder.classes[native]) for native in sorted(content.ids) if decoder.classes[native]]
    held = f" ({', '.join(names[:6])})" if names else ""
    likely = next((f"; as {what} they would be {', '.join(some)}" for what, some in _read_as(space, content)), "")
    return (
        f"no pixel of {content.labels} labels counts: they hold the ids {_ids(content)}{held}, which are no class of "
        f"label space {space.name!r}{likely}; give a split whose labels are published (those of a test split often are "
        "dummies), or the files with the ids that the reader expects"
    )


def doubts(dataset: Dataset, content: Content) -> list[str]:
    """What is odd about the labels though it may be right, a line each."""
    decoder, space = decoder_of(dataset), dataset.space
    named = [name for name in space.classes if name in decoder.classes.values()]
    pixels = {name: int(content.classes[space.classes.index(name)]) for name in named}
    present, total = [name for name in named if pixels[name]], sum(pixels.values())
    if not total:
        return []
    found = []
    if content.labels >= _FEW and len(named) > 1 and 2 * len(present) < len(named):
        shares = ", ".join(f"{name} {100 * pixels[name] / total:.1f}%" for name in present)
        found.append(
            f"{len(named) - len(present)} of {len(named)} classes are absent from {content.labels} labels, which hold "
            f"{shares} and the ids {_ids(content)}; are these the label files that reader {dataset.name!r} expects?"
        )
    elif content.labels >= _FEW and len(named) > 1 and len(present) == 1:
        found.append(
            f"all pixels that count in {content.labels} labels are {present[0]}; they hold the ids {_ids(content)}"
        )
    if (
        set(content.ids) == {0, 255}
        and decoder.classes.get(1) in space.classes
        and decoder.classes.get(255, "") is None
    ):
        found.append("the labels hold 0 and 255 alone, of which 255 is ignored; if it is a class, name it in `classes`")
    counting = sorted(native for native, name in decoder.classes.items() if name in space.classes)
    if len(counting) > 2 and counting == list(range(len(counting))) and set(counting) - set(content.ids) == {0}:
        found.append(
            f"id 0 ({decoder.classes[0]}) is absent, and all others of {ranges(dict.fromkeys(counting))} are there; "
            "if the files number the classes from 1, all are read as the next one"
        )
    from_1 = len(counting) > 2 and counting == list(range(1, len(counting) + 1)) and 0 in decoder.classes
    if from_1 and set(content.ids) - {255} == set(range(len(counting))):
        found.append(
            f"id {counting[-1]} ({decoder.classes[counting[-1]]}) is absent, and all others of "
            f"{ranges(decoder.classes)} are there; if the files number from 0, all are read as the one before"
        )
    try:
        return found + _of_palettes(dataset)
    except DataError:  # a broken file, which is named elsewhere
        return found


def _of_palettes(dataset: Dataset) -> list[str]:
    """A doubt where a colour has different ids in several labels, as in pictures that were reduced to few colours."""
    maps = decoder_of(dataset).read_ids
    if not isinstance(maps, LabelMaps) or maps.read_ids is not read_index:
        return []
    looked = [dataset.samples[index].label for index in islice(_spread(len(dataset)), LOOKED_AT)]
    palettes = {label: palette_of(label) for label in looked if label is not None}
    if None in palettes.values() or len(set(palettes.values())) < 2:
        return []
    first: dict[bytes, tuple[int, Path]] = {}
    for label, palette in palettes.items():
        colours = {int(native): (palette or b"")[3 * native : 3 * native + 3] for native in np.unique(maps(label))}
        for native, colour in colours.items():
            other, file = first.setdefault(colour, (native, label))
            if other != native and list(colours.values()).count(colour) == 1:
                return [
                    f"colour {[*colour]} is id {other} in {file.name}, but id {native} in {label.name}: if the colours "
                    "mean the classes, name them in `colours` in place of `classes`"
                ]
    return []


def _read_as(space: LabelSpace, content: Content) -> Iterator[tuple[str, list[str]]]:
    """Each common numbering that the ids fit, and the classes that they would be, if more than dummies have ids."""
    for what, ids in _numberings(space).items():
        if content.ids.keys() <= ids.keys():
            classes = [str(ids[native]) for native in sorted(content.ids) if ids[native] in space.classes]
            if len(classes) > _FEW:
                yield what, classes


def _ids(content: Content) -> str:
    return ranges(dict.fromkeys(content.ids))


def _numberings(space: LabelSpace) -> dict[str, Mapping[int, str | None]]:
    """The ways in which labels of these classes are commonly numbered, by what files that hold them are called."""
    found: dict[str, Mapping[int, str | None]] = {
        f"train ids of {space.name!r} (indices of its classes)": {
            **dict(enumerate(space.classes)), space.ignore_index: None,
        },
    }  # fmt: skip
    street = cityscapes.SPACE
    train_ids = names_in(space, {**dict(enumerate(street.classes)), street.ignore_index: None})
    if 2 * len(set(train_ids.values()) & set(space.classes)) > space.count:
        found["train ids of Cityscapes"] = train_ids
        found["label ids of Cityscapes"] = names_in(space, cityscapes.IDS)
    return found


def _other_numbering(decoder: LabelDecoder, content: Content) -> str | None:
    """The numbering that the labels have instead of the reader's, if that is beyond doubt."""
    numberings = _numberings(decoder.space)
    fitting = {what: ids for what, ids in numberings.items() if content.ids.keys() <= ids.keys()}
    is_common = any(_is_part(decoder, ids) for ids in numberings.values())
    for what, ids in fitting.items():
        if _explains(decoder, content, ids, is_common) or _fills(decoder, content, ids) or _ends(decoder, content, ids):
            return what
    return None


def _is_part(decoder: LabelDecoder, ids: Mapping[int, str | None]) -> bool:
    """Whether the map's classes are numbered so."""
    named = {native: name for native, name in decoder.classes.items() if name in decoder.space.classes}
    return len(named) > 2 and all(ids.get(native) == name for native, name in named.items())


def _explains(decoder: LabelDecoder, content: Content, ids: Mapping[int, str | None], is_common: bool) -> bool:
    """Whether another numbering gives more classes, and classes to many pixels that the map gives none.

    Pixels of one id alone are no sign, since much may be unlabelled, nor is what a user's map ignores, unless its
    classes have one of the common numberings.
    """
    space, classes = decoder.space, decoder.classes
    own = {classes.get(native) for native in content.ids} & set(space.classes)
    others = {ids[native] for native in content.ids} & set(space.classes)
    contradicts = any(classes.get(native) in own and classes[native] != ids[native] for native in content.ids)
    gained = {
        native: count for native, count in content.ids.items()
        if ids[native] in space.classes and classes.get(native) not in own
    }  # fmt: skip
    of_names = [count for native, count in gained.items() if classes.get(native) is not None]
    of_none = [native for native in gained if native not in classes or (is_common and classes[native] is None)]
    many = sum(of_names) - max(of_names, default=0) >= _LEAST_SHARE * content.ids.total()
    return contradicts and (many or len(of_none) > 2) and len(others) > len(own) + 1


def _fills(decoder: LabelDecoder, content: Content, ids: Mapping[int, str | None]) -> bool:
    """Whether the labels hold every class of another numbering of eight or more, and not all of the map."""
    counting = {native for native, name in ids.items() if name in decoder.space.classes}
    reachable = set(decoder.classes.values()) & set(decoder.space.classes)
    own = {decoder.classes.get(native) for native in content.ids} & reachable
    return len(counting) > 7 and content.ids.keys() >= counting and len(own) + 1 < len(reachable)


def _ends(decoder: LabelDecoder, content: Content, ids: Mapping[int, str | None]) -> bool:
    """Whether many ids of another numbering are there and none beyond it, where the map has four classes or more."""
    space, classes = decoder.space, decoder.classes
    there = [native for native in content.ids if ids[native] in space.classes]
    last = max((native for native, name in ids.items() if name in space.classes), default=0)
    beyond = {name for native, name in classes.items() if last < native and name in space.classes}
    differing = sum(classes.get(native) != ids[native] for native in there)
    return len(there) > 9 and 2 * differing > len(there) and len(beyond - {classes.get(each) for each in there}) > 3


def _remedy(decoder: LabelDecoder, content: Content, unknown: Set[int]) -> str | None:
    """What ids outside the map are, where all of them show it."""
    ids, named = content.ids.keys(), decoder.classes.keys()
    if min(unknown) >= 1000 and all(native // 1000 in named for native in unknown):
        return "these number the instances, a class's id times 1000 and a count; give the files of class ids"
    if unknown == {255} and ids <= {0, 255}:
        return "a mask of 0 and 255: name 255 in place of 1 in `classes`, or in `ignore` if it is no class"
    if unknown == {255}:
        return f"255 often is what is ignored, as in train ids: name it in `ignore`{_OF_A_FOLDER}, or give other files"
    if unknown == {1} and ids <= {0, 1} and 255 in named:
        return "a mask of 0 and 1, as files of one bit are: name 1 in place of 255 in `classes`"
    for step, word, end in ((1, "above", min(named)), (-1, "below", max(named - {255}, default=0))):
        if len(ids) > 2 and end not in ids and {native - step for native in ids if native != 255} <= named:
            return f"all are one {word} those of the map; number the classes so in `classes`{_OF_A_FOLDER}"
    return None
