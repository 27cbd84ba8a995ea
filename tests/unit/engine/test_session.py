"""One process, its precision, and what is refused."""

import pytest
import torch

from segda.engine.session import Session, resolve_precision
from segda.errors import ConfigError


def test_auto_is_full_precision_on_a_cpu() -> None:
    assert resolve_precision("auto", cpu=True) == "no"
    assert resolve_precision("no", cpu=True) == "no"


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_refused_on_a_cpu(precision: str) -> None:
    with pytest.raises(ConfigError, match=rf"runtime\.mixed_precision: '{precision}' asked for on a CPU.*use 'auto'"):
        resolve_precision(precision, cpu=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "no")])
def test_auto_on_a_gpu(monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str) -> None:
    """A GPU that only emulates bf16 is slower in it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_bf16 or including_emulation
    )
    assert resolve_precision("auto", cpu=False) == expected
    assert resolve_precision("fp16", cpu=False) == "fp16"


def test_one_process_exchanges_nothing() -> None:
    session = Session(cpu=True)
    tensor = torch.arange(3)
    assert (session.rank, session.world, session.is_main) == (0, 1, True)
    assert session.gather(tensor) is tensor
    assert session.sum(tensor) is tensor
    assert session.broadcast("value") == "value"
    assert session.device == torch.device("cpu")


def test_a_step_is_made_once_and_clears_the_gradients() -> None:
    session = Session(cpu=True)
    parameter = torch.nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    session.backward(parameter * 3.0)
    session.step([optimizer])
    assert parameter.item() == pytest.approx(-0.5)
    assert parameter.grad is None
