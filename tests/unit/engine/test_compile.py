"""Compiled networks: the same training up to rounding, the same names, and a one-line error if compilation fails."""

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.engine import compile as compilation
from segda.engine.ema import MovingAverage
from segda.engine.resume import resume
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.errors import ConfigError
from segda.objectives import objective as objectives
from tests.equivalence import setting
from tests.unit.engine.test_fit import batches, run, training

# A decoder shared by both domains, a gradient penalty, reversal. All methods together are slow.
QUICK = {"i2i_gta5", "dann"}


@pytest.fixture(autouse=True)
def traced_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run traced graphs with eager kernels: fast, and no compiler is needed."""
    monkeypatch.setattr(nn.Module, "compile", partialmethod_of("aot_eager"))
    yield
    torch._dynamo.reset()


def partialmethod_of(backend: Any) -> Callable[..., None]:
    def compile(self: nn.Module) -> None:
        self._compiled_call_impl = torch.compile(self._call_impl, backend=backend)

    return compile


def compiled(name: str) -> TrainingState:
    made = training(name)
    compilation.compile_networks(made.modules, objectives.differentiated_twice(made.objective.terms))
    return made


def state(made: TrainingState) -> dict[str, Tensor]:
    return {
        f"{key}/{name}": value.clone() for key, module in made.modules.items()
        for name, value in module.state_dict().items()
    }  # fmt: skip


def assert_close(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, rtol=1e-9, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.promise("compile")
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in setting.NAMES]
)
def test_a_compiled_training_is_the_same_up_to_rounding(name: str, tmp_path: Path) -> None:
    plain, fast = training(name), compiled(name)
    torch._dynamo.utils.counters.clear()
    for made, folder in ((plain, tmp_path / "plain"), (fast, tmp_path / "fast")):
        folder.mkdir()
        run(made, batches(itertools.count()), folder, save_every=9)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0, "something was compiled"
    assert not torch._dynamo.utils.counters["recompile_limit"], "no recompile limit was hit"
    assert_close(state(fast), state(plain))


@pytest.mark.promise("compile")
@pytest.mark.parametrize("first_is_compiled", [False, True])
def test_each_goes_on_from_the_others_checkpoint(first_is_compiled: bool, tmp_path: Path) -> None:
    first, second = (compiled, training) if first_is_compiled else (training, compiled)
    begun, going_on, expected = first("dann"), second("dann"), training("dann")
    run(begun, batches(itertools.count()), tmp_path, steps=4, save_every=2)
    resume(going_on, tmp_path / "checkpoints", Session(cpu=True))
    assert going_on.step == 2
    run(going_on, batches(itertools.count(2)), tmp_path, steps=4, save_every=9)
    (tmp_path / "whole").mkdir()
    run(expected, batches(itertools.count()), tmp_path / "whole", steps=4, save_every=9)
    assert_close(state(going_on), state(expected))


@pytest.mark.promise("compile")
def test_names_copies_and_averages_know_nothing_of_it() -> None:
    made = compiled("source_only")
    assert state(made).keys() == state(training("source_only")).keys()
    average = MovingAverage(made.modules, 0.9)
    assert all(module._compiled_call_impl is None for module in average.modules.values())
    assert all(module._compiled_call_impl is not None for module in made.modules.values())
    assert copy.deepcopy(made.modules["head"])._compiled_call_impl is None
    compilation.undo(made.modules)
    assert all(module._compiled_call_impl is None for module in made.modules.values())


def test_a_discriminator_whose_gradient_is_penalised_stays_as_it_is() -> None:
    left = {name for name, module in compiled("i2i_gta5").modules.items() if module._compiled_call_impl is None}
    assert left == {"discriminator.source", "discriminator.target"}
    assert all(module._compiled_call_impl is not None for module in compiled("cyclegan").modules.values())


@pytest.mark.promise("no-compiler")
def test_a_missing_compiler_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(*arguments: Any) -> Any:
        raise RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')\nand more")

    monkeypatch.setattr(nn.Module, "compile", partialmethod_of(backend))
    with pytest.raises(ConfigError) as caught, compilation.compiled(True):
        run(compiled("source_only"), batches(itertools.count()), tmp_path)
    message = str(caught.value)
    assert "runtime.compile" in message
    assert "No working C++ compiler" in message
    assert "leave out runtime.compile" in message
    assert "\n" not in message


def test_other_errors_pass_through() -> None:
    for enabled in (True, False):
        with pytest.raises(RuntimeError, match="^mine$"), compilation.compiled(enabled):
            raise RuntimeError("mine")
