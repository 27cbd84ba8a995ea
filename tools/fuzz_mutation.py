"""How a file is corrupted: bytes anywhere, and what checksums, compression or structure would otherwise protect."""

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
NUMBER = st.builds(
    lambda number, size, order: (number % 256**size).to_bytes(size, order),
    st.sampled_from(NUMBERS), st.sampled_from([2, 4, 8]), st.sampled_from(["little", "big"]),
)  # fmt: skip


@st.composite
def corrupted(draw: Draw, content: bytes, suffix: str) -> bytes:
    """A corrupted copy of a valid file's content.

    Args:
        draw: draws from a strategy; hypothesis passes it.
        content: of a valid file.
        suffix: of its name; decides what is corrupted inside.
    """
    if suffix in _INSIDE and draw(st.booleans()):
        return _INSIDE[suffix](content, draw)
    return scrambled(content, draw)


def scrambled(content: bytes, draw: Draw) -> bytes:
    """Some bytes replaced by others, a number or a word, removed, repeated or inserted, or the end cut off."""
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3, 6]))):
        start = draw(st.integers(0, len(content)))
        stop = start + draw(st.sampled_from([1, 0, 2, 4, 8, 16, 64]))
        old = content[start:stop]
        random = st.binary(min_size=len(old), max_size=len(old))
        new = draw(random | NUMBER | st.sampled_from([b"", old * 2, old * 50, *WORDS]))
        content = content[:start] + new + (b"" if draw(st.integers(0, 24)) == 24 else content[stop:])
    return content


def _head(length: int) -> Callable[[bytes, Draw], bytes]:
    """Corrupt the first bytes alone: most that matter are there."""
    return lambda content, draw: scrambled(content[:length], draw) + content[length:]


def _compressed(library: Any, **options: int) -> Callable[[bytes, Draw], bytes]:
    """Corrupt what is compressed."""
    return lambda content, draw: library.compress(scrambled(library.decompress(content), draw), **options)


def _png(content: bytes, draw: Draw) -> bytes:
    """Corrupt one chunk, and correct its checksum."""
    chunks, start = [], 8
    while start < len(content):
        (length,) = struct.unpack(">I", content[start : start + 4])
        chunks.append(content[start + 4 : start + 8 + length])  # kind and data
        start += 12 + length
    index = draw(st.integers(0, len(chunks) - 1))
    kind, data = chunks[index][:4], chunks[index][4:]
    change = _compressed(zlib) if kind == b"IDAT" and draw(st.booleans()) else scrambled
    chunks[index : index + 1] = [kind + change(data, draw)] * draw(st.sampled_from([1, 1, 1, 1, 2]))
    return content[:8] + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def _zip(content: bytes, draw: Draw) -> bytes:
    """Corrupt one member or its name, and pack again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    length = 128 if draw(st.booleans()) else len(members[name])
    members[name + draw(st.sampled_from([""] * 9 + ["2"]))] = _head(length)(members.pop(name), draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return buffer.getvalue()


def _json(content: bytes, draw: Draw) -> bytes:
    """Replace or remove one or two values anywhere."""
    whole = {"": parse(content.decode())}
    entries: list[tuple[Any, Any]] = [(whole, "")]
    for node, key in entries:
        value = node[key]
        if isinstance(value, dict | list):
            entries += [(value, inner) for inner in (value if isinstance(value, dict) else range(len(value)))]
    for _ in range(draw(st.sampled_from([1, 2]))):
        node, key = draw(st.sampled_from(entries))
        if node is not whole and isinstance(node, dict) and draw(st.integers(0, 4)) == 4:
            node.pop(key, None)
        else:
            node[key] = draw(ANY_VALUE)
    return json.dumps(whole[""]).encode()


_INSIDE: dict[str, Callable[[bytes, Draw], bytes]] = {
    ".png": _png, ".gz": _compressed(gzip, mtime=0), ".bz2": _compressed(bz2), ".npz": _zip, ".npy": _head(128),
    ".json": _json, ".yaml": _json, ".mat": _head(400), ".h5": _head(2048),
}  # fmt: skip
