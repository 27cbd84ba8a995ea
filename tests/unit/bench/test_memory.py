"""The benchmark of memory: its two sides compute the same, and what it finds is told."""

from pathlib import Path

import pytest
import torch

from pipelines import pipeline as pipelines
from pipelines.estimate import Memory
from pipelines.space import Space
from pipelines.stage import TrainingConfig
from tests.pipelines import tiny
from tools.bench import memory


@pytest.mark.parametrize("stage", ["source", "translate"])
def test_both_sides_make_the_same_step(stage: str, tmp_path: Path) -> None:
    job, found = tiny.write(tmp_path), []
    samples = next(memory.noise(2, (32, 32)))
    for setting in memory.SETTINGS:
        loaded = pipelines.load(str(job), [setting])
        config = loaded.stages[stage].config
        assert isinstance(config, TrainingConfig)
        training = Memory(loaded, Space(loaded, [])).assembled(config)
        torch.manual_seed(0)
        memory.step(training, samples)
        found.append({name: module.state_dict() for name, module in training.modules.items()})
    for name, tensors in found[0].items():
        for key, value in tensors.items():
            assert torch.equal(value, found[1][name][key]), (name, key)


def test_figures(tmp_path: Path) -> None:
    job = str(tiny.write(tmp_path))
    assert memory.stages([job]) == [(job, "source"), (job, "translate"), (job, "feature"), (job, "oracle")]
    counted = memory.counted(job, "translate", ["100MB", "1MB"])
    assert counted.theirs is not None
    assert counted.value == pytest.approx(counted.theirs / counted.ours)
    assert counted.value > 1
    assert "100MB " in counted.note
    assert counted.note.endswith("1MB None, None")
    tensors, seconds = memory.computed(job, "source", size=32, batch=1, rounds=1)
    assert tensors.theirs == pytest.approx(tensors.ours * tensors.value)
    assert "the estimate is off by" in tensors.note
    assert seconds.ours > 0
