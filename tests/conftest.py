"""Fixtures of every test."""

import io
import os
import pathlib
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tqdm import tqdm

# torch.compile shows its progress with tqdm, whose thread would forbid every later test to fork.
tqdm.monitor_interval = 0

if sys.version_info < (3, 11):
    # pathlib of 3.10 holds functions of `io` and `os` as they were at its import; what tests put there must count.

    def at_call(module: Any, name: str) -> Any:
        return staticmethod(lambda *arguments, **options: getattr(module, name)(*arguments, **options))

    for module, name in ((io, "open"), (os, "replace")):
        setattr(pathlib._NormalAccessor, name, at_call(module, name))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bytes are compared between runs in this process and in forks of it, which have no other threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def small_numbers() -> Iterator[None]:
    """A `Session` takes numbers below 1e-38 as 0 in its process, which the next test may not expect."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session", autouse=True)
def own_validation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither use nor change the user's record of passed checks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGDA_CHECKED", str(tmp_path_factory.mktemp("checked")))
        yield


@pytest.fixture
def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
