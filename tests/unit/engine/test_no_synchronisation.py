"""No step synchronizes with the device: no value is fetched between two log lines.

The device is torch's "meta": its tensors have a shape but no content, so reading a value (`item`, `tolist`,
`if tensor`, `nonzero`, a mask as an index, a copy to the CPU) raises an error where a GPU would synchronize.
A copy from the CPU synchronizes too, unless it is non-blocking.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from segda.batch import Batch
from segda.engine import ema, optimizers
from segda.engine.state import TrainingState
from segda.objectives.class_sizes import ClassSizes
from segda.tasks.segmentation import build as build_task
from tests.equivalence import setting
from tests.unit.engine.test_fit import run

META = torch.device("meta")
MICRO_BATCHES = 4
"""Two steps, each after an update of the discriminators alone."""
# A pool, a gradient penalty, reversal, a sampler, a teacher, class sizes, lenses. All methods together are slow.
QUICK = {"cdan", "cogan", "cyclegan_tempered", "fcns_in_the_wild", "i2i", "self_training"}


class EnoughError(Exception):
    """Ends a training before its last step, which is logged."""


class NoWaitingCopy(TorchDispatchMode):
    """Rejects blocking copies from the CPU to the device."""

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        keywords = options or {}
        if function is torch.ops.aten._to_copy.default and keywords.get("device") == META:
            from_cpu = arguments[0].device.type == "cpu"
            assert not from_cpu or keywords.get("non_blocking"), "a blocking copy to the device"
        return function(*arguments, **keywords)


def on_meta(name: str) -> TrainingState:
    """A method on tiny meta networks, with Adam for both players and a moving average."""
    config = setting.method(name)
    built = setting.networks(config)
    objective = setting.objective_of(config, built)
    for networks in (built, objective.teacher, objective.judge):
        for module in networks.modules.values() if networks else ():
            module.to(META)
    if objective.class_sizes:
        objective.class_sizes = ClassSizes(*(shares.to(META) for shares in objective.class_sizes))
    options = {
        "name": "adam", "learning_rate": 1e-3, "betas": (0.5, 0.999), "momentum": 0.9, "weight_decay": 0.0,
        "encoder_factor": 1.0,
    }  # fmt: skip
    players = [optimizers.build(built.modules, names, **options) for names in objective.players()]
    return TrainingState(objective, built.modules, built.modules, *players, ema.MovingAverage(built.modules, 0.9))


def batches() -> Iterator[Batch]:
    """Images and labels on the device; positions in the data order stay on the CPU, as in the loader."""
    for number in range(MICRO_BATCHES):
        both = [samples for samples in setting.batch(2, start=2 * number) if samples is not None]
        yield Batch(*(
            samples._replace(
                image=torch.empty_like(samples.image, device=META),
                label=None if samples.label is None else torch.empty_like(samples.label, device=META),
            )
            for samples in both
        ))  # fmt: skip
    raise EnoughError


def two_steps(made: TrainingState, folder: Path) -> None:
    """Two unlogged steps, so that nothing needs to be fetched."""
    with pytest.raises(EnoughError), NoWaitingCopy():
        run(made, batches(), folder, steps=9, discriminator_steps=2, save_every=9, log_every=9)
    assert len(made.unlogged_losses) >= 2


@pytest.mark.promise("no-synchronisation")
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in setting.NAMES]
)
def test_no_step_waits_for_the_device(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # kornia copies a blur's sigma without blocking, but only to real devices.
    blur = importlib.import_module("kornia.filters.gaussian")
    monkeypatch.setattr(
        blur, "_to_device_nonblocking", lambda tensor, device: tensor.to(device, non_blocking=True), raising=False
    )
    two_steps(on_meta(name), tmp_path)


@pytest.mark.promise("no-synchronisation")
def test_nor_do_weights_of_classes(tmp_path: Path) -> None:
    made = on_meta("source_only")
    made.objective.task = build_task(setting.SPACE, class_weights=[1.0, 2.0, 3.0, 4.0])
    two_steps(made, tmp_path)


@pytest.mark.promise("no-synchronisation")
@pytest.mark.parametrize(
    "fetch", [lambda loss: loss.item(), lambda loss: loss.cpu(), lambda loss: loss * torch.ones(()).to(META)]
)
def test_a_step_that_waits_is_noticed(fetch: Callable[[Tensor], Any], tmp_path: Path) -> None:
    made = on_meta("source_only")
    losses = made.objective.generator_losses

    def waiting(p: Any) -> dict[str, Tensor]:
        values = losses(p)
        fetch(values["classification"])
        return values

    made.objective.generator_losses = waiting  # type: ignore[method-assign]
    with pytest.raises((RuntimeError, NotImplementedError, AssertionError)):
        two_steps(made, tmp_path)
