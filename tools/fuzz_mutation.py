"""How a file is spoilt: bytes anywhere, and what its checksums, compression or structure would otherwise shield."""

import bz2
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from segda.config.yaml_file import parse
from segda.errors import SegdaError

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
WORDS = (
    b"NaN", b"-1", b"1e999", b"null", b"[]", b"{}", b"!!python/name:os.system", b"!!int x", b"!!set {a}", b"&a ",
    b"*a", b"<<: ", b"\t", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"? ", b"!!binary aa==", b"'", b'"', b"9" * 400,
    b"../..", b"%s", b"\xc3\xa9", b"[" * 300, b"\n", b"- ", b"base: ", b"!!float x", b"!!bool x", b"!!timestamp x",
)  # fmt: skip
ANY_VALUE: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats() | st.text(max_size=6)
    | st.sampled_from([10**30, "../../x", "\ud800", "\x00", {"from": "x"}]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
"""What may stand in a JSON or YAML file."""

Draw = Callable[[st.SearchStrategy[Any]], Any]
ONE_OR_MORE = st.sampled_from([1, 1, 1, 2, 3, 6])
NUMBER = st.builds(
    lambda form, number: struct.pack(form, number % 2 ** (8 * struct.calcsize(form))),
    st.sampled_from(["<H", ">H", "<I", ">I", "<Q", ">Q"]),
    st.sampled_from(NUMBERS),
)


@st.composite
def spoilt(draw: Draw, content: bytes, suffix: str) -> bytes:
    """A spoilt copy of a file's content.

    Args:
        draw: draws from a strategy; hypothesis passes it.
        content: of a sound file.
        suffix: of its name; decides what is looked for inside.
    """
    if suffix in _INSIDE and draw(st.booleans()):
        try:
            return _INSIDE[suffix](content, draw)
        except (ValueError, OSError, zipfile.BadZipFile, SegdaError):  # an earlier fault
            pass
    return scrambled(content, draw)


def scrambled(content: bytes, draw: Draw) -> bytes:
    """Some bytes replaced by others or by a number or word, cut out, repeated, put in, or all after a place cut off."""
    for _ in range(draw(ONE_OR_MORE)):
        start = draw(st.integers(0, len(content)))
        stop = start + draw(st.sampled_from([1, 0, 2, 4, 8, 16, 64]))
        old = content[start:stop]
        new = draw(
            st.binary(min_size=len(old), max_size=len(old)) | NUMBER | st.sampled_from([b"", old * 2, old * 50, *WORDS])
        )
        end = b"" if draw(st.integers(0, 24)) == 24 else content[stop:]
        content = content[:start] + new + end
    return content


def _head(length: int) -> Callable[[bytes, Draw], bytes]:
    """Spoil the first bytes alone: most that matter are there."""
    return lambda content, draw: scrambled(content[:length], draw) + content[length:]


def _png(content: bytes, draw: Draw) -> bytes:
    """Spoil one chunk, and make its checksum right again."""
    chunks, start = [], 8
    while start + 12 <= len(content):
        (length,) = struct.unpack(">I", content[start : start + 4])
        chunks.append((content[start + 4 : start + 8], content[start + 8 : start + 8 + length]))
        start += 12 + length
    number = draw(st.integers(0, len(chunks) - 1))
    kind, data = chunks[number]
    if kind == b"IDAT" and draw(st.booleans()):
        data = zlib.compress(scrambled(zlib.decompress(data), draw))
    else:
        data = scrambled(data, draw)
    chunks[number : number + 1] = [(kind, data)] * draw(st.sampled_from([1, 1, 1, 1, 2]))
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _zip(content: bytes, draw: Draw) -> bytes:
    """Spoil one member or its name, and pack again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    length = 128 if name.endswith(".npy") and draw(st.booleans()) else len(members[name])
    data = _head(length)(members.pop(name), draw)
    members[name + draw(st.sampled_from([""] * 9 + ["2"]))] = data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return buffer.getvalue()


def _json(content: bytes, draw: Draw) -> bytes:
    """Replace one or two values, anywhere, or leave them out."""
    whole = {"": parse(content.decode())}
    entries: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            entries.append((node, key))
            if isinstance(value, dict | list):
                visit(value)

    visit(whole)
    for _ in range(draw(st.sampled_from([1, 2]))):
        node, key = draw(st.sampled_from(entries))
        if node is not whole and isinstance(node, dict) and draw(st.integers(0, 4)) == 4:
            node.pop(key, None)
        else:
            node[key] = draw(ANY_VALUE)
    return json.dumps(whole[""]).encode()


_INSIDE: dict[str, Callable[[bytes, Draw], bytes]] = {
    ".png": _png,
    ".gz": lambda content, draw: gzip.compress(scrambled(gzip.decompress(content), draw)),
    ".bz2": lambda content, draw: bz2.compress(scrambled(bz2.decompress(content), draw)),
    ".npz": _zip,
    ".pth": _zip,
    ".npy": _head(128),
    ".json": _json,
    ".yaml": _json,
    ".mat": _head(400),
    ".h5": _head(2048),
}
