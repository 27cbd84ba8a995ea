"""Find the images and labels of a data set by their folders and by what their names end in."""

import os
import re
import unicodedata
from collections.abc import Callable, Container, Iterator, Sequence
from fnmatch import translate
from glob import escape
from pathlib import Path
from typing import NamedTuple

from segda.config.lookup import nearest_of
from segda.errors import DataError

#: What names of pictures end in, of the kinds that are read.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

#: Further ones, which are not read, so that they are not passed over in silence.
OTHER_PICTURES = (".heic", ".heif", ".avif", ".jp2", ".jfif", ".ppm", ".pgm", ".pnm", ".dng")

# Polygons and the like, of annotation tools.
_TEXT = (".json", ".xml", ".txt", ".svg")

#: What trainers and annotation services put behind an image's name to name its label. A file is taken for a label by
# this only where the image lies beside it.
LABEL_SUFFIX = re.compile(
    r"(?:(?:[_.-](?:gt|gtFine|gtCoarse|(?:label|labelled|instance)?(?:Train)?Ids?|labels?|labelColou?r|colou?r|colou?red|"
    r"masks?|(?-i:L)|anno|annotations?|annotated|seg|segmentation|sem|semantic|panoptic|instances?|invIds|invGray|lbl|"
    r"ground[_-]?truth|manual|matte))+|(?-i:(?<=[a-z\d])(?:Mask|Label|GT)))(?:[_-]?\d+)?$",
    re.IGNORECASE,
)
#: What stands before an image's name in that of its label: `mask_00001`.
LABEL_PREFIX = re.compile(r"(?<![^/])(?:gt|label|mask|seg|annotation)[_-](?=[^/]+$)", re.IGNORECASE)


class Place(NamedTuple):
    """Where files of one kind are.

    Attributes:
        folder: below the data set's root, searched with its subfolders. `*` stands for any folder name:
            `rgb_anon/*/train` is all `train` folders one level below `rgb_anon`.
        endings: what names end in, such as `_leftImg8bit.png`, in upper or lower case; the longest that fits counts.
            One that begins with `/` is whole names of files: `/label.png`; what precedes `*` is what names begin with:
            `mask_*.png`.
        named: what `*` may stand for in the folder; empty for all that is there.
        every: the folder of all splits, if not this one alone, in which no files of another kind are.
    """

    folder: str
    endings: tuple[str, ...]
    named: tuple[str, ...] = ()
    every: str = ""


def pictures(ending: str) -> tuple[str, ...]:
    """The endings of pictures of any kind: `_rgb.png`, `_rgb.jpg`, ... for `_rgb`."""
    return tuple(f"{ending}{kind}" for kind in PICTURES)


def check_root(root: Path) -> None:
    """Raise a DataError if a data set's root is missing."""
    if not root.is_dir():
        raise DataError(
            f"data root {root} is missing; set SEGDA_DATA to the folder that holds the data sets, or give `root`"
        )


def matcher(patterns: Sequence[str]) -> Callable[[str], object]:
    """Whether a key matches one of some shell patterns, as one regular expression, since sets have many keys."""
    return re.compile("|".join(map(translate, patterns)) if patterns else r"(?!)").match


def longest_beginning(name: str, names: Container[str]) -> str | None:
    """The longest of `names` with which `name` begins, itself left out, and after which no letter or digit follows."""
    for mark in reversed(list(re.finditer(r"[\W_]", name))):
        if name[: mark.start()] in names:
            return name[: mark.start()]
    return None


def is_other_label(key: str, keys: Container[str]) -> bool:
    """Whether a name is one of `keys` and what names a label: `00001_labelTrainIds` or `mask_00001` beside `00001`."""
    return any(key[: mark.start()] + key[mark.end() :] in keys for mark in _label_marks(key))


def _label_marks(key: str) -> list[re.Match[str]]:
    """What in a name names a label."""
    return [mark for mark in (LABEL_SUFFIX.search(key), LABEL_PREFIX.search(key)) if mark is not None]


def find_files(root: Path, folder: str, endings: Sequence[str]) -> dict[str, Path]:
    """All files of a folder, hidden ones left out.

    Links to folders are followed.

    Returns:
        Path below the folder without its ending (`aachen/aachen_000000_000019`) to file. What `*` stands for in the
        folder's name is put before it (`night/GOPR0351/GOPR0351_frame_000001`).

    Raises:
        DataError: root or folder is missing, two files differ in their ending alone, a name cannot be written down, a
            link leads back to a folder that it lies in, or a folder cannot be read.
    """
    files: dict[str, Path] = {}
    for name, path in _walk(root, Place(folder, tuple(endings))):
        ending = _ending(name, endings)
        if ending:
            _add(files, _without(name, ending), path)
    return files


def find_images(
    root: Path, images: Place, labels: Place | None = None, *, exclude: Sequence[str] = (), several: bool = False
) -> dict[str, Path]:
    """The images of a data set, as `find_files` gives them.

    Labels that lie in the same folder, or below it, are none, whether or not labels are used.

    Args:
        root: folder that holds the data set.
        images: where the images are.
        labels: where the labels are, if they are files of their own.
        exclude: keys of pictures that may be left out.
        several: keys keep what the endings say, since one label belongs to several images.

    Raises:
        DataError: as `find_files`; no file has such a name; a picture would be left out for the kind of its file alone;
            a picture seems to be the label of the image beside it; images and labels would be the same files.
    """
    files: dict[str, Path] = {}
    left_out: dict[str, Path] = {}
    others: list[Path] = []
    beside, labels_beside = _beside(images, labels), False
    # Where both end alike, files of one folder are labels; below the labels' folder, an image folder holds images.
    alike = labels is not None and Path(images.folder) == Path(labels.folder)
    for name, path in _walk(root, images, _below(images, labels)):
        ending, kind = _ending(name, images.endings), path.suffix
        label_ending = _ending(name, labels.endings) if labels is not None and beside else ""
        if len(label_ending) > len(ending) or (alike and label_ending and len(label_ending) == len(ending)):
            labels_beside = True
        elif ending:
            _add(files, name[: -len(kind)] if several and kind else _without(name, ending), path)
        elif _is_left_out(name, images.endings):
            left_out[name[: -len(kind)]] = path
        elif not label_ending:
            others.append(path)
    if not files and labels_beside:
        raise DataError(
            f"{root / images.folder}: images and labels are the same files, which end in {_listed(images.endings)}; "
            "give what labels end in, such as `label_endings: [_mask.png]`"
        )
    excluded = matcher(exclude)
    _refuse_left_out(root, images, files, {key: path for key, path in left_out.items() if not excluded(key)})
    if not files:
        _refuse_others(root, images, others, "image")
    seeming = {key for key in files if not excluded(key) and is_other_label(key, files)}
    if seeming and not beside:
        patterns = sorted({_pattern(mark) for key in seeming for mark in _label_marks(key)})
        raise DataError(
            f"{files[min(seeming)]}: seems to be the label of the image beside it, as {len(seeming)} pictures do; give "
            f"`labels` and `label_endings`, or leave them out: `exclude: {patterns[:3]}`"
        )
    return {key: path for key, path in files.items() if key not in seeming}


def find_labels(root: Path, labels: Place, images: Place) -> dict[str, Path]:
    """The labels of a data set, as `find_files` gives them; images that lie in the same folder, or below it, are none.

    Raises:
        DataError: as `find_files`; no file has such a name; there are polygons in place of label images.
    """
    are_texts = any(ending.lower().endswith(_TEXT) for ending in labels.endings)
    files: dict[str, Path] = {}
    texts: list[Path] = []
    others: list[Path] = []
    beside = _beside(images, labels)
    for name, path in _walk(root, labels, _below(labels, images)):
        ending = _ending(name, labels.endings)
        image_ending = _ending(name, images.endings) if beside else ""
        if ending and len(ending) >= len(image_ending):
            _add(files, _without(name, ending), path)
        elif not image_ending:
            others.append(path)
        if path.suffix.lower() in _TEXT:
            texts.append(path)
    if texts and (are_texts or not files):
        what = "label images" if are_texts else f"label images that end in {_listed(labels.endings)}"
        raise DataError(
            f"{root / labels.folder}: polygons or other text in {len(texts)} files, such as {min(texts).name}, and no "
            f"{what}; make label images of them first, see docs/data.md"
        )
    if not files:
        _refuse_others(root, labels, others, "label")
    return files


def folder_names(root: Path, folder: str) -> list[str]:
    """What `*` stands for in the name of a folder, sorted.

    Raises:
        DataError: there is no such folder.
    """
    return [before.rstrip("/") for before, _ in _tops(root, Place(folder, ()))]


def _walk(root: Path, place: Place, without: str | None = None) -> Iterator[tuple[str, Path]]:
    """Name and file of everything that is not hidden below a folder, but not in the folder `without`.

    A name is the path below the folder, after what stands for `*` in the folder's name.
    """
    skipped = None if without is None else root / without
    for before, top in _tops(root, place):
        for parent, folders, names in os.walk(top, followlinks=True, onerror=_unreadable):
            here = Path(parent)
            folders[:] = [name for name in folders if name[0] != "." and here / name != skipped]
            _check_links(here, folders)
            # Names are joined as text: making a path of each would take as long as listing it.
            start = before if here == top else f"{before}{here.relative_to(top).as_posix()}/"
            for name in names:
                if not name.startswith("."):
                    yield start + name, here / name


def _tops(root: Path, place: Place) -> list[tuple[str, Path]]:
    """The folders that a name with `*` stands for, and what names of files there begin with; hidden ones left out."""
    check_root(root)
    parts = Path(place.folder).parts
    stars = [index for index, part in enumerate(parts) if "*" in part]
    tops = [root / place.folder]
    if stars:
        tops = sorted(root.glob("/".join(part if "*" in part else escape(part) for part in parts)))
    named = [
        ("".join(f"{top.relative_to(root).parts[index]}/" for index in stars), top) for top in tops if top.is_dir()
    ]
    chosen = [
        (before, top)
        for before, top in named
        if not before.startswith(".") and before[:-1] in (place.named or [before[:-1]])
    ]
    if not chosen:
        raise DataError(
            f"folder {place.folder!r} is missing below {root}; {_nearest_folder(root, place.folder)}the layout needs "
            "it, see the data set's config"
        )
    return chosen


def _nearest_folder(root: Path, folder: str) -> str:
    """A suggestion for the first part of a path that is missing, such as a misspelt split; nothing if none is near."""
    here = root
    for part in Path(folder).parts:
        if not (here / part).is_dir():
            near = nearest_of(part, [child.name for child in here.iterdir() if child.is_dir()])
            return "" if near is None else f"did you mean {(here / near).relative_to(root).as_posix()!r}? "
        here /= part
    return ""


def _ending(name: str, endings: Sequence[str]) -> str:
    """The longest ending that a name has; empty if none."""
    lower = name.lower()
    return max((end for end in endings if _has(lower, end.lower())), key=len, default="")


def _has(name: str, ending: str) -> bool:
    start, star, end = ending.rpartition("*")
    file = name.rsplit("/", 1)[-1]
    return name.endswith(end) and (not star or (file.startswith(start) and len(file) >= len(start) + len(end)))


def _without(name: str, ending: str) -> str:
    """A name without one of its endings, and without what it begins with where the ending says so."""
    start, _, end = ending.rpartition("*")
    folders = name.rfind("/") + 1
    return name[:folders] + name[folders + len(start) : len(name) - len(end)] if start else name[: -len(end)]


def _beside(images: Place, labels: Place | None) -> bool:
    """Whether images and labels share a folder, or one is below that of the other."""
    if labels is None:
        return False
    first, second = Path(images.folder), Path(labels.folder)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _below(place: Place, other: Place | None) -> str | None:
    """The folder of `other`, of all its splits if there are several, if it is a true part of `place`."""
    for folder in () if other is None else (other.every, other.folder):
        if folder and Path(folder) != Path(place.folder) and Path(folder).is_relative_to(place.folder):
            return folder
    return None


def _refuse_left_out(root: Path, images: Place, files: Container[str], left_out: dict[str, Path]) -> None:
    """Refuse pictures that only the kind of their file tells from images, but for previews and depths of images."""
    frames = [path for key, path in left_out.items() if key not in files and longest_beginning(key, files) is None]
    if frames:
        raise DataError(
            f"{root / images.folder}: {len(frames)} pictures of another kind than {_listed(images.endings)}, such as "
            f"{min(frames).name}, would be left out; take them (`image_endings`, where the reader has it), convert "
            "them to PNG, or name them in `exclude`"
        )


def _refuse_others(root: Path, place: Place, others: list[Path], what: str) -> None:
    """Refuse a folder whose files are all of other names, which is no download to be completed."""
    if others:
        raise DataError(
            f"{root / place.folder}: no {what} that ends in {_listed(place.endings)} among {len(others)} files, such "
            f"as {min(others).name}; give what they end in (`{what}_endings`, where the reader has it), or the folder"
        )


def _is_left_out(name: str, endings: Sequence[str]) -> bool:
    """Whether a picture has one of the endings but for the kind of its file."""
    stem, kind = os.path.splitext(name.lower())
    return kind in (*PICTURES, *OTHER_PICTURES) and any(stem.endswith(_before_kind(end).lower()) for end in endings)


def _before_kind(ending: str) -> str:
    """`_rgb` of `_rgb.png`."""
    return os.path.splitext(f"x{ending.rpartition('*')[2]}")[0][1:]


def _add(files: dict[str, Path], key: str, path: Path) -> None:
    _check_name(key, path)
    if key in files:
        other = files[key]
        several = ", or set `several_images: true` if one label belongs to several images"
        raise DataError(
            f"{path} and {other.name} have the same name but for the ending; keep one of them, or give its ending"
            f"{several if path.stem != other.stem else ''}"
        )
    files[key] = path


def _check_links(parent: Path, folders: Sequence[str]) -> None:
    """Refuse links to a folder that they lie in, through which the search would go round and round."""
    for name in folders:
        link = parent / name
        if not link.is_symlink():
            continue
        # Through other links, too: the folders on the way here need not be those that the link really lies in.
        real, through = link.resolve(), [folder.resolve() for folder in (parent, *parent.parents)]
        if parent.resolve().is_relative_to(real) or real in through:
            raise DataError(f"{link}: a link that leads back to {real}, which it lies in; remove the link")


def _check_name(key: str, path: Path) -> None:
    """Refuse names with control characters or bytes that are no UTF-8, which no list, message or page can show."""
    if not key.isprintable() and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in key):
        what = "a line break" if "\n" in key else "a control character"
        if any("\ud800" <= letter <= "\udfff" for letter in key):
            what = "bytes that are no UTF-8"
        raise DataError(f"{path.parent}: the name {path.name!r} holds {what}; rename the file")


def _unreadable(error: OSError) -> None:
    raise DataError(f"{error.filename}: cannot be read ({error.strerror}); repair its permissions") from error


def _pattern(mark: re.Match[str]) -> str:
    """What leaves out the names with a mark of labels."""
    return f"*{mark[0]}" if mark.end() == len(mark.string) else f"*{mark[0]}*"


def _listed(endings: Sequence[str]) -> str:
    return ", ".join(endings[:3]) + (", ..." if len(endings) > 3 else "")
