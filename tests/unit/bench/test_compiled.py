"""The benchmark of compilation: both sides begin alike, and its figure is consistent."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.pipelines import tiny
from tools.bench import compiled as bench
from tools.bench.steps import Case, supervised


def test_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile(self: nn.Module) -> None:  # with eager kernels: no compiler is needed
        self._compiled_call_impl = torch.compile(self._call_impl, backend="aot_eager")

    monkeypatch.setattr(nn.Module, "compile", compile)
    trainings: list[Any] = []
    monkeypatch.setattr(bench, "step", lambda training, *rest: (trainings.append(training), step(training, *rest)))
    case = Case("tiny", str(tiny.write(tmp_path)), "source", 2, supervised)
    figure = bench.measured(case, rounds=1, size=32)
    assert figure.theirs is not None
    assert figure.value == pytest.approx(figure.ours / figure.theirs)
    deviation = float(figure.note.partition("generator ")[2].removesuffix(" %"))
    assert 0 <= deviation < 0.01, figure.note
    plain, other = trainings[:2]
    assert plain.modules["encoder"]._compiled_call_impl is None
    assert other.modules["encoder"]._compiled_call_impl is not None


step = bench.step
