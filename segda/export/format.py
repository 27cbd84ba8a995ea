"""The formats that an export writes images in."""

from typing import Literal

Format = Literal["png", "jpeg", "webp"]

#: The endings of each format; files are named with the first.
ENDINGS: dict[Format, tuple[str, ...]] = {"png": (".png",), "jpeg": (".jpg", ".jpeg"), "webp": (".webp",)}
