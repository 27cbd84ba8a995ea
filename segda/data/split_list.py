"""A split that a text file lists: stems or paths of images, one a line, alone or with their labels."""

import codecs
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segda.data.dataset import Problem
from segda.data.find import LABEL_PREFIX, PICTURES
from segda.errors import ConfigError, DataError

_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


def check_split(reader: str, split: str, listing: str | None, else_by: str = "") -> None:
    """Refuse every split but `train` of a data set that has no other, unless a list names the files of each.

    `else_by` says what else would give splits.

    Raises:
        ConfigError: there is no such split.
    """
    if split != "train" and "{split}" not in (listing or ""):
        raise ConfigError(
            f"{reader} has no split {split!r}; it has only 'train', all its files, unless a list names those of each "
            f"split: `list: lists/{{split}}.txt`{else_by}"
        )


def listed(
    root: Path, listing: str, split: str, images: Mapping[str, Path], *, check_labels: bool = True
) -> tuple[set[str], list[Problem]]:
    """The keys of the images that a list names, and its lines that name none, several, or one again.

    A line is a stem, a file's name, a path below `root`, or an absolute path, with or without the ending. Folders
    before the data set's own do not count, so that lists made on another machine can be used. What follows after a
    space, tab, comma or semicolon is the image's label, which must have its name. Blank lines, quotation marks and
    what follows `#` do not count.

    Args:
        root: folder that holds the data set.
        listing: the list, a path below `root` or an absolute one.
        split: put for `{split}` in `listing`.
        images: key to file.
        check_labels: a second column must have the image's name.

    Raises:
        DataError: the list is missing, is no text, or is empty.
    """
    file = root / Path(listing.replace("{split}", split)).expanduser()
    names = _Names(root, images)
    first: dict[str, int] = {}
    problems = []
    for number, line in _lines(file):
        keys, label = names.find(line, check_labels)
        if len(keys) == 1 and label:
            detail, kind = f"{label!r} is no label of {images[keys[0]].name}, whose name it must have", "listed label"
        elif len(keys) == 1 and keys[0] in first:
            detail, kind = f"{line!r} is in line {first[keys[0]]}, too", "listed twice"
        elif len(keys) == 1:
            first[keys[0]] = number
            continue
        elif keys:
            detail, kind = f"{line!r} is {' and '.join(sorted(keys)[:3])}; write the path", "listed ambiguously"
        else:
            detail, kind = f"{line!r} is no image of this data set", "listed, but missing"
        problems.append(Problem(kind, file, f"line {number}: {detail}"))
    return set(first), problems


def refusal(problems: Sequence[Problem]) -> str:
    """One line for problems of a list."""
    more = f", and {len(problems) - 1} other lines are wrong" if len(problems) > 1 else ""
    return f"{problems[0].file}, {problems[0].detail}{more}; correct the list"


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Number and content of the lines that are neither blank nor comments."""
    if not file.is_file():
        raise DataError(f"list {file} is missing; `list` is a text file below the data set's root, or an absolute path")
    try:
        content = file.read_bytes()
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
        text = content.decode(encoding)
    except OSError as error:
        raise DataError(f"list {file}: cannot be read ({error.strerror}); repair its permissions") from error
    except UnicodeDecodeError:
        raise DataError(f"list {file}: no text in UTF-8 or UTF-16; save it as UTF-8") from None
    lines = re.split(r"\r\n|\r|\n", text)
    entries = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    entries = [(number, line) for number, line in entries if line and not line.startswith("#")]
    if not entries:
        raise DataError(f"list {file}: names no image; expected a stem or a path a line")
    return iter(entries)


class _Names:
    """The images of a data set by all names that a list may have for them."""

    def __init__(self, root: Path, images: Mapping[str, Path]) -> None:
        self._root = _parts(str(root))
        self._images = images
        self._keys: dict[str, list[str]] = defaultdict(list)
        for key, path in images.items():
            for name in {_normal(key.rsplit("/", 1)[-1]), _normal(path.name), _normal(path.stem)}:
                self._keys[name].append(key)

    def find(self, line: str, check_labels: bool) -> tuple[list[str], str]:
        """The keys that a line may mean, and its second column where that is no label; spaces may be part of names."""
        wrong: tuple[list[str], str] = [], ""
        for end, start in [(len(line), len(line)), *(cut.span() for cut in re.finditer(r"\s*[,;\t]\s*|\s+", line))]:
            keys = self._matching(line[:end])
            second = _unquoted(line[start:])
            unchecked = not check_labels or second.startswith("#") or not second
            if len(keys) == 1 and (unchecked or _is_label_of(second, keys[0], self._images[keys[0]])):
                return keys, ""
            if keys and not wrong[0]:
                wrong = keys, second
        return wrong

    def _matching(self, entry: str) -> list[str]:
        parts = _parts(_unquoted(entry))
        if not parts:
            return []
        *folders, name = parts
        names = [name, name[: name.rindex(".")]] if name.lower().endswith(PICTURES) else [name]
        for candidate in names:
            keys = [key for key in self._keys.get(candidate, ()) if self._lies_in(key, folders)]
            # A name at the top is not one of the same names further below.
            exact = [key for key in keys if _parts(key)[:-1] == folders]
            if keys:
                return exact if len(exact) == 1 else keys
        return []

    def _lies_in(self, key: str, folders: list[str]) -> bool:
        """Whether the image's folders end in those of an entry, or those in the image's folders below the root."""
        own = _parts(str(self._images[key].parent))
        if own[len(own) - len(folders) :] == folders:
            return True
        below = own[len(self._root) :] or own[-1:]
        return folders[len(folders) - len(below) :] == below


def _parts(path: str) -> list[str]:
    """The folders and the name of a path, of any system, without what leads to its start."""
    parts = os.path.normpath(_normal(path).replace("\\", "/")).split("/")
    return [part for part in parts if part not in ("", ".", "..") and not re.fullmatch(r"[A-Za-z]:", part)]


def _normal(name: str) -> str:
    """Names in one form of their Unicode letters: file systems and editors differ."""
    return unicodedata.normalize("NFC", name)


def _unquoted(entry: str) -> str:
    return entry.strip().strip("\"'").strip()


def _is_label_of(label: str, key: str, image: Path) -> bool:
    """Whether a second column has the name of an image, and lies in the folders of its key."""
    parts, own = _parts(label), _parts(key)
    names = (parts[-1], LABEL_PREFIX.sub("", parts[-1]))
    stems = (own[-1], _normal(image.stem))
    begins = any(re.match(rf"{re.escape(stem)}(?![^\W_])", name) for stem in stems for name in names)
    return bool(parts) and begins and (len(parts) == 1 or parts[-len(own) : -1] == own[:-1])
