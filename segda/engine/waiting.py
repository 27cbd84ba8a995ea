"""How much of its time a training waits for data."""

import time
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")

NOTABLE = 0.05
"""The share from which on it is worth a word."""


class Waiting(Generic[Item]):
    """Passes on what an iterator gives, and measures how long it takes to give it.

    A GPU that is still computing while its next batch is waited for is not idle: there the share is what it could be at
    most.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        """Args: items: to pass on."""
        self.items = items
        self.waited, self.since = 0.0, time.monotonic()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        began = time.monotonic()
        try:
            return next(self.items)
        finally:
            self.waited += time.monotonic() - began

    def share(self) -> float:
        """The share of the time since the last call that was spent waiting, in `[0, 1]`."""
        now = time.monotonic()
        share = self.waited / max(now - self.since, 1e-9)
        self.waited, self.since = 0.0, now
        return round(min(share, 1.0), 3)
