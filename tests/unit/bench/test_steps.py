"""The training step benchmark: both sides compute the same, and it times what it claims."""

import copy
import itertools
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipelines.definition.schema import ComponentConfig
from segda.batch import Batch, Domain
from segda.objectives import draw
from tests.unit.engine.test_fit import run
from tools.bench import steps as bench
from tools.bench.inputs import Operations, noise

SIZE = 32
SMALL = {
    "translation": {
        "encoder": ComponentConfig(name="translator", width=2, blocks=1),
        "decoder": ComponentConfig(name="translator", blocks=1),
        "discriminators": {"image": ComponentConfig(name="patch70", width=2)},
    },
    "alignment": {
        "encoder": ComponentConfig(name="small", width=3, blocks=1),
        "decoder": ComponentConfig(name="transposed", width=8, shared_layers=2),
        "discriminators": {"image": ComponentConfig(name="patch", width=2, layers=4)},
    },
    "supervised": {"encoder": ComponentConfig(name="small", width=3, blocks=1)},
}  # fmt: skip


def small(name: str, monkeypatch: pytest.MonkeyPatch) -> bench.Case:
    """A case with tiny networks; everything else is the shipped stage's."""
    case = bench.CASES[name]
    memory, config = bench.stage_of(case.pipeline, case.stage)
    networks = config.networks.model_copy(update=SMALL[name])
    changed = config.model_copy(update={"networks": networks})
    monkeypatch.setattr(bench, "stage_of", lambda pipeline, stage: (memory, changed))
    return case


def mixing(batch: Batch, domain: Domain) -> Tensor:
    """The random numbers that segda draws from the seed and the samples' positions."""
    samples = batch.source if domain == "source" else batch.target
    assert samples is not None
    return draw.uniform(0, f"gradient_penalty/{domain}", samples.position)


def doubled(batch: Batch) -> Batch:
    source, target = (each._replace(image=each.image.double()) for each in batch if each is not None)
    return Batch(source, target)


def parameters(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    return {
        f"{name}/{key}": value.detach()
        for name, module in modules.items() for key, value in module.named_parameters()
    }  # fmt: skip


@pytest.mark.promise("hand-written-loop")
@pytest.mark.parametrize("name", SMALL)
def test_both_sides_take_the_same_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision, because Adam normalises even a rounding error to a visible difference."""
    case = small(name, monkeypatch)
    monkeypatch.setattr(bench, "mixing", mixing)
    memory, config = bench.stage_of(case.pipeline, case.stage)
    ours = memory.assembled(config)
    for module in ours.modules.values():
        module.double().train()
    before = {key: value.clone() for key, value in parameters(ours.modules).items()}
    theirs = copy.deepcopy(ours.modules)
    step = bench.by_hand(case, config, theirs)
    batches = [doubled(batch) for batch in islice(noise(2, (SIZE, SIZE)), 3)]
    run(ours, iter(batches), tmp_path, factor=lambda step: 1.0, save_every=9, log_every=9)
    for batch in batches:
        step(batch)
    trained, expected = parameters(ours.modules), parameters(theirs)
    assert any(not torch.equal(trained[key], before[key]) for key in trained)
    for key, value in expected.items():
        torch.testing.assert_close(
            trained[key], value, rtol=1e-7, atol=1e-9, msg=lambda text, key=key: f"{key}: {text}"
        )


def test_steps_are_timed_by_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock counts its readings; logged and other steps are separate, and both exclude the warm-up."""
    case = small("supervised", monkeypatch)
    clock: Iterator[int] = itertools.count()
    monkeypatch.setattr(bench.time, "perf_counter", lambda: float(next(clock)))
    times = bench.take_turns(case, 3, SIZE)
    assert [len(each) for each in times[:3]] == [3, 3, 3]
    assert times.operations > 0


def test_operations_are_those_of_forward_and_backward() -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    with Operations() as counted:
        layer(x).sum().backward()
    assert counted.total == 3 * 2 * (3 * 5 * 9) * (2 * 8 * 8)


def test_figures_name_their_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "take_turns", lambda *args: bench.Times([2.0, 2, 9], [2.2, 2.6, 2.3], [1.0, 1.9, 8], 1))
    monkeypatch.setattr(bench, "peak", lambda: 2.0)
    speed, share, log = bench.measure(only=("supervised",))
    assert (speed.ours, speed.theirs, speed.bound) == (0.5, pytest.approx(1 / 1.9), 0.97)
    assert speed.value == pytest.approx(8 / 9), "the median of 1 / 2, 1.9 / 2 and 8 / 9"
    assert (share.value, share.bound) == (25.0, None)
    assert log.value == pytest.approx(1.5)
