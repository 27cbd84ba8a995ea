"""What holds for every test."""

from collections.abc import Iterator

import pytest
import torch
from tqdm import tqdm

# torch.compile shows its progress by it, and would leave a thread behind, beside which no test may fork.
tqdm.monitor_interval = 0


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Bytes are compared between runs in this process and in forks of it, whose other threads do not come along."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def own_memory_of_checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What passes its checks in tests is not remembered in the user's cache, nor what passed before believed here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGDA_CHECKED", str(tmp_path_factory.mktemp("checked")))
        yield
