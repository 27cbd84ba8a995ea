"""The memory benchmark: both sides compute the same, and its figures are consistent."""

from pathlib import Path

import pytest
import torch

from segda.engine.session import Local
from tests.pipelines import tiny
from tools.bench import memory
from tools.bench.inputs import noise, stage_of, step, training_stages


@pytest.mark.parametrize("stage", ["source", "translate"])
def test_both_sides_make_the_same_step(stage: str, tmp_path: Path) -> None:
    job, states = tiny.write(tmp_path), []
    samples = next(noise(2, (32, 32)))
    for setting in memory.SETTINGS.values():
        stages, config = stage_of(str(job), stage, setting)
        training = stages.assembled(config)
        torch.manual_seed(0)
        step(training, samples, Local())
        states.append({name: module.state_dict() for name, module in training.modules.items()})
    for name, tensors in states[0].items():
        for key, value in tensors.items():
            assert torch.equal(value, states[1][name][key]), (name, key)


def test_figures(tmp_path: Path) -> None:
    job = str(tiny.write(tmp_path))
    assert training_stages([job]) == [(job, "source"), (job, "translate"), (job, "feature"), (job, "oracle")]
    counted = memory.counted(job, "translate", ["100MB", "1MB"])
    assert counted.theirs is not None
    assert counted.value == pytest.approx(counted.theirs / counted.ours)
    assert counted.value > 1
    assert "100MB " in counted.note
    assert counted.note.endswith("1MB None, None")
    tensors, seconds = memory.computed(job, "source", size=32, batch=1, rounds=1)
    assert tensors.theirs == pytest.approx(tensors.ours * tensors.value)
    assert "estimate off by" in tensors.note
    assert seconds.ours > 0
