"""How a file is spoilt: bytes anywhere, and what its checksums, compression or structure would otherwise shield."""

import bz2
import contextlib
import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from typing import Any

from segda.errors import SegdaError
from segda.yaml_file import parse

INTERESTING = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
WORDS = (
    b"NaN", b"-1", b"1e999", b"null", b"[]", b"{}", b"!!python/name:os.system", b"!!int x", b"!!set {a}", b"&a ",
    b"*a", b"<<: ", b"\t", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"? ", b"!!binary aa==", b"'", b'"', b"9" * 400,
    b"../..", b"%s", b"\xc3\xa9", b"[" * 300, b"\n", b"- ", b"base: ", b"!!float x", b"!!bool x", b"!!timestamp x",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1e308, float("nan"), float("inf"), "", "x", "../../x", "\ud800", "\x00", [], [1], [[]],
    {}, {"a": 1}, {"from": "x"},
)  # fmt: skip


def mutated(content: bytes, suffix: str, draw: random.Random) -> bytes:
    """A spoilt copy of a file's content.

    Args:
        content: of a sound file.
        suffix: of its name; tells of its inside.
        draw: all that chance decides.
    """
    inside = _INSIDE.get(suffix)
    if inside is not None and draw.random() < 0.5:
        with contextlib.suppress(ValueError, OSError, zipfile.BadZipFile, SegdaError):
            return inside(content, draw)
    return scrambled(content, draw)


def scrambled(content: bytes, draw: random.Random) -> bytes:
    """Some bytes changed, cut out, doubled, put in, or all after a place cut off."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 6))):
        place = draw.randrange(len(data) + 1)
        length = draw.choice((1, 2, 4, 8, 16, 64))
        match draw.randrange(8):
            case 0 if place < len(data):
                data[place] ^= 1 << draw.randrange(8)
            case 1 if place < len(data):
                data[place] = draw.randrange(256)
            case 2:
                form = draw.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
                number = draw.choice(INTERESTING) % 2 ** (8 * struct.calcsize(form))
                data[place : place + struct.calcsize(form)] = struct.pack(form, number)
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[place : place + length] * draw.choice((1, 2, 50))
            case 5:
                data[place:place] = draw.choice(WORDS)
            case 6:
                data[place : place + length] = draw.randbytes(length)
            case _ if draw.random() < 0.3:
                del data[place:]
    return bytes(data)


def _png(content: bytes, draw: random.Random) -> bytes:
    """One chunk spoilt, its checksum made right again."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        (length,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    number = draw.randrange(len(chunks))
    kind, data = chunks[number]
    if kind == b"IDAT" and draw.random() < 0.5:
        data = zlib.compress(scrambled(zlib.decompress(data), draw))
    else:
        data = scrambled(data, draw)
    chunks[number] = (kind, data)
    if draw.random() < 0.2:
        chunks.insert(draw.randrange(len(chunks) + 1), draw.choice(chunks))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return content[:8] + body


def _zip(content: bytes, draw: random.Random) -> bytes:
    """One member spoilt, packed again."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = draw.choice(sorted(members))
    # The head of an array is short: most bytes that matter are there.
    head = 128 if name.endswith(".npy") and draw.random() < 0.7 else len(members[name])
    members[name] = scrambled(members[name][:head], draw) + members[name][head:]
    if draw.random() < 0.1:
        members[f"{name}2"] = members.pop(name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return buffer.getvalue()


def _npy(content: bytes, draw: random.Random) -> bytes:
    return scrambled(content[:128], draw) + content[128:]


def _json(content: bytes, draw: random.Random) -> bytes:
    """One value, anywhere, replaced by one of another kind, or left out."""
    whole = parse(content.decode())
    places: list[tuple[Any, Any]] = []

    def visit(node: Any) -> None:
        entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in entries:
            places.append((node, key))
            visit(value)

    visit(whole)
    for _ in range(draw.choice((1, 1, 2))):
        node, key = draw.choice(places)
        if draw.random() < 0.2 and isinstance(node, dict):
            node.pop(key, None)
        else:
            with contextlib.suppress(IndexError):
                node[key] = draw.choice(VALUES)
    return json.dumps(draw.choice(VALUES) if draw.random() < 0.02 else whole).encode()


_INSIDE = {
    ".png": _png,
    ".gz": lambda content, draw: gzip.compress(scrambled(gzip.decompress(content), draw)),
    ".bz2": lambda content, draw: bz2.compress(scrambled(bz2.decompress(content), draw)),
    ".npz": _zip,
    ".pth": _zip,
    ".npy": _npy,
    ".json": _json,
    ".yaml": _json,
    ".mat": lambda content, draw: scrambled(content[:400], draw) + content[400:],
    ".h5": lambda content, draw: scrambled(content[:2048], draw) + content[2048:],
}
