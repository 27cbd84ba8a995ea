"""Random numbers as pure functions: one seed, any number of independent streams by name."""

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose, such as `derive_seed(0, "order", "target", epoch)`; others give unrelated streams.

    It is an integer in `[0, 2**63)`, the same on every machine.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
