"""A small job on a sound data set, in one thread, so that it can be forked and its bytes compared."""

from tests.cli.conftest import data, refused
from tests.pipelines.conftest import one_thread

__all__ = ["data", "one_thread", "refused"]
