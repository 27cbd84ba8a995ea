"""Names and links: unprintable and look-alike names, circular links, unpaired files."""

import os
import shutil
import unicodedata
from pathlib import Path

from tests.bad_input.case import RUN, Case, Handled, Spoil

SET, IMAGES, LABELS = "set", "set/images/train", "set/labels/train"
RENAME = "rename"
EXCLUDE = "`exclude`"


def called(image: str | bytes, label: str | bytes | None = None) -> Spoil:
    """Rename the pair; names without suffix."""

    def spoil(folder: Path) -> None:
        for subfolder, name in ((IMAGES, image), (LABELS, image if label is None else label)):
            written = os.fsencode(name) + b".png"
            os.rename(os.fsencode(folder / subfolder / "a.png"), os.path.join(os.fsencode(folder / subfolder), written))

    return spoil


def copied(name: str, subfolder: str = IMAGES) -> Spoil:
    """Add another file."""

    def spoil(folder: Path) -> None:
        (folder / subfolder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / subfolder / "a.png", folder / subfolder / name)

    return spoil


def linked(name: str, to: str) -> Spoil:
    return lambda folder: (folder / IMAGES / name).symlink_to(to)


def circle(folder: Path) -> None:
    """Two folders, each with a link to the other."""
    for own, other in (("p", "q"), ("q", "p")):
        (folder / IMAGES / own).mkdir()
        (folder / IMAGES / own / "on").symlink_to(f"../{other}")


def without(*names: str) -> Spoil:
    def spoil(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def file_for_folder(path: str) -> Spoil:
    def spoil(folder: Path) -> None:
        shutil.rmtree(folder / path)
        (folder / path).write_text("a file")

    return spoil


def rooted(root: str) -> tuple[str, ...]:
    return (*RUN, "--set", f"stages.adapted.data.root={root}")


NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")

CASES = (
    Case("a line break in a name", called("a\nb"), "'a\\nb.png'", RENAME, RUN, "pair"),
    Case("a tab in a name", called("a\tb"), "'a\\tb.png'", RENAME, RUN, "pair"),
    Case("an escape sequence in a name", called("a\x1b[31m"), "'a\\x1b[31m.png'", RENAME, RUN, "pair"),
    Case("a bell in a name", called("a\x07"), "'a\\x07.png'", RENAME, RUN, "pair"),
    Case("a name that is no UTF-8", called(b"a\xff\xfe"), "'a\\udcff\\udcfe.png'", RENAME, RUN, "pair"),
    Case("a name in Latin-1", called("é".encode("latin-1")), "\\udce9.png", RENAME, RUN, "pair"),
    Case("a folder with a line break", copied("x\ny/b.png"), "b.png", RENAME, RUN, "pair"),
    Case("a folder that is no UTF-8", lambda folder: shutil.copytree(
        folder / IMAGES, os.fsdecode(os.path.join(os.fsencode(folder / IMAGES), b"\xfe"))), "a.png", RENAME, RUN,
        "pair"),
    Case("NFC and NFD", called(NFC, NFD), "NFC, NFD", "rename one", RUN, "pair"),
    Case("NFD and NFC", called(NFD, NFC), "NFC, NFD", "rename one", RUN, "pair"),
    Case("upper and lower case", called("A", "a"), "A.png and a.png", "rename one", RUN, "pair"),
    Case("upper and lower case of a folder", lambda folder: (
        copied("Ulm/b.png")(folder), copied("ulm/b.png", LABELS)(folder)), "upper and lower case", "rename one", RUN,
        "pair"),
    Case("two endings", copied("a.jpg"), "a.jpg", "keep one of them", RUN, "pair"),
    Case("two cases of one ending", copied("a.PNG"), "a.PNG", "keep one of them", RUN, "pair"),
    Case("an image without a label", copied("b.png"), "images/train/b.png", EXCLUDE, RUN, "pair"),
    Case("a label without an image", copied("b.png", LABELS), "labels/train/b.png", EXCLUDE, RUN, "pair"),
    Case("another ending behind the first", called("a", "a.png"), "labels/train/a.png.png", EXCLUDE, RUN, "pair"),
    Case("a space at the end of a name", called("a", "a "), "labels/train/a .png", EXCLUDE, RUN, "pair"),
    Case("no images", without(f"{IMAGES}/a.png", f"{LABELS}/a.png"), "set: no images found", "layout", RUN, "pair"),
    Case("hidden images alone", called(".a"), "set: no images found", "layout", RUN, "pair"),
    Case("no image folder", without(IMAGES), "'images/train'", "see the data set's config", RUN, "pair"),
    Case("no label folder", without(LABELS), "'labels/train'", "see the data set's config", RUN, "pair"),
    Case("a file for an image folder", file_for_folder(IMAGES), "'images/train'", "see the data set's config", RUN,
         "pair"),
    Case("no root", without(SET), SET, "SEGDA_DATA", RUN, "pair"),
    Case("a file for a root", file_for_folder(SET), SET, "SEGDA_DATA", RUN, "pair"),
    Case("a root that is a link to itself", lambda folder: (without(SET)(folder), (folder / SET).symlink_to(SET)),
         SET, "SEGDA_DATA", RUN, "pair"),
    Case("a link to the folder it is in", linked("loop", "."), f"{IMAGES}/loop", "remove the link", RUN, "pair"),
    Case("a link to a folder above", linked("up", "../.."), f"{IMAGES}/up", "remove the link", RUN, "pair"),
    Case("a link to everything", linked("all", "/"), f"{IMAGES}/all", "remove the link", RUN, "pair"),
    Case("two folders that link to one another", circle, "/on", "remove the link", RUN, "pair"),
    Case("an image that is a lost link", linked("b.png", "nowhere.png"), "images/train/b.png", EXCLUDE, RUN, "pair"),
    Case("a name too long", lambda folder: None, "xxx", "correct the path", rooted("x" * 300), "pair"),
    Case("a user who is none", lambda folder: None, "nobody-of-that-name", "write the path out",
         rooted("~nobody-of-that-name/data"), "pair"),
    Case("a root that is no text", lambda folder: None, "stages.adapted.data.root", "expected", rooted("[1]"), "pair"),
    Case("a null byte in a root", lambda folder: None, "no file can have that name", "correct the path",
         rooted('"a\\0b"'), "pair"),
    Case("a data root in the home of nobody", lambda folder: os.environ.__setitem__(
        "SEGDA_DATA", "~nobody-of-that-name"), "nobody-of-that-name", "write the path out", RUN, "pair"),
    Case("a limit that is none", lambda folder: os.environ.__setitem__("SEGDA_MAX_PIXELS", "many"), "SEGDA_MAX_PIXELS",
         "expected a whole number", RUN, "pair"),
)  # fmt: skip


def exported(*names: str) -> Spoil:
    def shows(folder: Path) -> None:
        export = next((folder / "runs").glob("export-*"))
        for name in names:
            assert (export / "images" / f"{name}.png").is_file(), name
            assert (export / "labels" / f"{name}.png").is_file(), name

    return shows


ODD = {
    "a space": "a b  c", "Unicode in NFC": NFC, "Unicode in NFD": NFD, "an emoji": "\U0001f697", "a dash": "-rf",
    "a script": "<script>alert(1)<", "quotes": "a'b\"c", "a percent sign": "%s%n", "a backslash": "a\\b",
    "right-to-left": "שלום", "a dot": "a.b.c", "a dollar": "$(id)", "a star": "*?[a]", "a comma": "a,b;c:d",
    "200 letters": "x" * 200,
}  # fmt: skip
HANDLED = (
    *(Handled(f"a name with {what}", called(name), exported(name), RUN, "pair") for what, name in ODD.items()),
    Handled("names that differ in case alone", lambda folder: (
        copied("A.png")(folder), copied("A.png", LABELS)(folder)), exported("a", "A"), RUN, "pair"),
    Handled("a link to a file", lambda folder: (
        linked("b.png", "a.png")(folder), copied("b.png", LABELS)(folder)), exported("a", "b"), RUN, "pair"),
    Handled("a link to a folder elsewhere", lambda folder: (
        linked("elsewhere", "../../../sound/images/train")(folder), copied("elsewhere/a.png", LABELS)(folder)),
        exported("a", "elsewhere/a"), RUN, "pair"),
    Handled("a file of another kind", lambda folder: (folder / IMAGES / "Thumbs.db").write_bytes(b""), exported("a"),
            RUN, "pair"),
)  # fmt: skip
