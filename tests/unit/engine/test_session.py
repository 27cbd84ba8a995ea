"""The session: precision, options that are rejected, and collective operations."""

import warnings
from typing import Literal

import pytest
import torch
from accelerate.state import AcceleratorState

from segda.engine import optimizers
from segda.engine.session import Local, Session, resolve_precision
from segda.errors import ConfigError


def test_auto_is_full_precision_on_a_cpu() -> None:
    assert resolve_precision("auto", cpu=True) == "no"
    assert resolve_precision("no", cpu=True) == "no"


@pytest.fixture(autouse=True)
def cpu(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """What the processor can do: whatever machine this is, one that does not compute in bf16."""
    capabilities = {"amx_bf16": False, "avx512_bf16": False}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    return capabilities


@pytest.mark.parametrize(("precision", "reason"), [
    ("bf16", "without AMX or AVX512-BF16 it is far slower than fp32"), ("fp16", "fp16 is not trained in on CPUs"),
])  # fmt: skip
def test_half_precision_is_refused_on_a_cpu(precision: Literal["bf16", "fp16"], reason: str) -> None:
    message = rf"runtime\.mixed_precision: '{precision}' asked for on a CPU; {reason}; use 'auto'"
    with pytest.raises(ConfigError, match=message):
        resolve_precision(precision, cpu=True)


@pytest.mark.parametrize("capability", ["amx_bf16", "avx512_bf16"])
def test_bf16_is_allowed_on_a_cpu_that_computes_in_it_but_not_chosen(cpu: dict[str, bool], capability: str) -> None:
    cpu[capability] = True
    assert resolve_precision("bf16", cpu=True) == "bf16"
    assert resolve_precision("auto", cpu=True) == "no"
    with pytest.raises(ConfigError, match="'fp16' asked for on a CPU; fp16 is not trained in"):
        resolve_precision("fp16", cpu=True)


def test_an_older_torch_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    with pytest.raises(ConfigError, match="without AMX"):
        resolve_precision("bf16", cpu=True)


def test_numbers_too_small_for_their_format_are_zero() -> None:
    """A processor computes with them many times slower than with others."""
    torch.set_flush_denormal(False)
    tiny = torch.full((8,), 1e-40)
    assert (tiny * 1.0 != 0).all()
    Session(cpu=True)
    assert (tiny * 1.0 == 0).all()


@pytest.mark.parametrize(("has_bf16", "expected"), [(True, "bf16"), (False, "no")])
def test_auto_on_a_gpu(monkeypatch: pytest.MonkeyPatch, has_bf16: bool, expected: str) -> None:
    """A GPU that only emulates bf16 is slower with it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has_bf16 or including_emulation
    )
    assert resolve_precision("auto", cpu=False) == expected
    assert resolve_precision("fp16", cpu=False) == "fp16"


@pytest.fixture
def bf16_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU that computes in bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)


@pytest.mark.parametrize("said", ["no", "fp16", "bf16", "BF16"])
def test_auto_is_what_accelerate_launch_says(monkeypatch: pytest.MonkeyPatch, bf16_gpu: None, said: str) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", said)
    assert resolve_precision("auto", cpu=False) == said.lower()
    assert resolve_precision("fp16", cpu=False) == "fp16"


@pytest.mark.parametrize(("said", "message"), [
    ("bf16", r"ACCELERATE_MIXED_PRECISION \(accelerate launch --mixed_precision\): 'bf16' .* use 'no' there"),
    ("fp8", "ACCELERATE_MIXED_PRECISION .*: 'fp8'; expected 'no', 'fp16' or 'bf16'"),
])  # fmt: skip
def test_what_accelerate_launch_says_may_be_impossible(
    monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", said)
    with pytest.raises(ConfigError, match=message):
        resolve_precision("auto", cpu=True)
    assert resolve_precision("no", cpu=True) == "no"


@pytest.mark.parametrize(("configured", "said", "expected"), [
    ("auto", "", "fp32"),
    ("auto", "no", "fp32 (as accelerate launch says)"),
    ("no", "no", "fp32"),
    ("no", "bf16", "fp32 (as configured, although accelerate launch says 'bf16')"),
])  # fmt: skip
def test_the_first_line_says_who_chose_the_precision(
    monkeypatch: pytest.MonkeyPatch, configured: Literal["auto", "no"], said: str, expected: str
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", said)
    assert Session(configured, cpu=True).summary() == f"1 process on CPU, {expected}, 1 thread"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert Two(configured, cpu=True).summary() == f"2 processes on CPU, {expected}, 3 threads each"


def test_one_process_exchanges_nothing() -> None:
    session = Session(cpu=True)
    tensor = torch.arange(3)
    assert (session.rank, session.world, session.is_main) == (0, 1, True)
    assert session.gather(tensor) is tensor
    assert session.sum(tensor) is tensor
    assert session.broadcast("value") == "value"
    assert session.device == torch.device("cpu")


def test_a_step_is_made_once() -> None:
    session = Session(cpu=True)
    parameter = torch.nn.Parameter(torch.tensor(1.0))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    session.backward(parameter * 3.0)
    session.step([optimizer])
    assert parameter.item() == pytest.approx(-0.5)


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_a_gradient_is_clipped_at_its_own_size_whatever_the_loss_scale(
    scale: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: gradient (3, 4), norm 5, clipped to 1: (0.6, 0.8)."""
    session = Session(cpu=True)
    if scale is not None:
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        monkeypatch.setattr(session.accelerator, "scaler", scaler)
    layer = torch.nn.Linear(2, 1, bias=False)
    torch.nn.init.zeros_(layer.weight)
    optimizer = optimizers.build(
        {"head": layer}, ["head"], name="sgd", learning_rate=1.0, betas=(0.5, 0.9), momentum=0.0, weight_decay=0.0,
        encoder_factor=1.0, clip_gradient_norm=1.0,
    )  # fmt: skip
    assert optimizer is not None
    loss = layer(torch.tensor([[3.0, 4.0]])).sum()
    (loss if scale is None else scaler.scale(loss)).backward()
    session.step([optimizer])
    torch.testing.assert_close(layer.weight.detach(), torch.tensor([[-0.6, -0.8]]))
    Local().step([optimizer])  # the gradient is at its limit already
    torch.testing.assert_close(layer.weight.detach(), torch.tensor([[-1.2, -1.6]]))


def test_a_launcher_that_says_cpu_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`accelerate launch --cpu` on a machine with a GPU: `auto` must not mean bf16 there."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    AcceleratorState._reset_state(reset_partial_state=True)
    session = Session()
    assert session.mixed_precision == "no"
    assert session.device == torch.device("cpu")


def test_a_launchers_accumulation_does_not_scale_the_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    parameter = torch.nn.Parameter(torch.tensor(1.0))
    Session(cpu=True).backward(parameter * 3.0)
    assert parameter.grad == 3.0


class Two(Session):
    """One of two processes that hold the same tensors."""

    world = 2  # type: ignore[assignment]


def test_running_statistics_are_averaged_and_constants_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Two(cpu=True)
    seen: list[int] = []

    def add_others(tensor: torch.Tensor) -> None:
        seen.append(tensor.numel())
        tensor += 3.0  # the sum of the other process

    monkeypatch.setattr(torch.distributed, "all_reduce", add_others)
    layer = torch.nn.BatchNorm2d(2)
    layer.register_buffer("constant", torch.tensor([5.0]), persistent=False)
    layer.weight.data.fill_(7.0)
    session.average_buffers({"encoder": layer})
    assert seen == [4]
    assert layer.running_mean.tolist() == [1.5, 1.5]
    assert layer.running_var.tolist() == [2.0, 2.0]
    assert layer.constant.tolist() == [5.0]
    assert layer.weight.tolist() == [7.0, 7.0]


def test_preparing_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the warning that every network would repeat is suppressed."""
    session = Session(cpu=True)

    def prepare(module: torch.nn.Module) -> torch.nn.Module:
        warnings.warn("`broadcast_buffers` is deprecated. Use `forward_sync_buffers` instead.", FutureWarning, 2)
        warnings.warn("something else", FutureWarning, 2)
        return module

    monkeypatch.setattr(session.accelerator, "prepare", prepare)
    with pytest.warns(FutureWarning) as recorded:
        session.prepare({"head": torch.nn.Linear(1, 1)})
    assert [str(warning.message) for warning in recorded] == ["something else"]
