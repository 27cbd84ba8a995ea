"""The checkpoint benchmark: both sides write the same files."""

from itertools import count
from pathlib import Path

import pytest

from segda.engine.session import Session
from tests.equivalence import setting
from tests.unit.engine.test_fit import training
from tools.bench import checkpoints as bench


@pytest.mark.promise("background-checkpoint")
def test_both_sides_write_a_checkpoint(tmp_path: Path) -> None:
    times = bench.one_round(training("i2i"), setting.batch(2), tmp_path, count(), Session(cpu=True))
    assert min(times.step, times.background, times.waiting) > 0
    sizes = [{file.name: file.stat().st_size for file in folder.iterdir()} for folder in sorted(tmp_path.iterdir())]
    assert len(sizes) == 2
    assert sizes[0].keys() == sizes[1].keys() == {"tensors.safetensors", "state.json"}
    assert sizes[0]["tensors.safetensors"] == sizes[1]["tensors.safetensors"]
