"""What is recorded of real trainings: time spent waiting, findings, and what stops a training."""

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from segda.batch import Batch
from segda.engine import recorder
from segda.engine.health import Finding, HealthPolicy, Limits
from segda.engine.session import Session
from segda.engine.state import StepLosses, TrainingState
from segda.errors import TrainingError
from segda.tasks.segmentation import build as build_task
from tests.equivalence import setting
from tests.unit.engine.test_fit import batches, run, training


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_share_is_of_the_time_since_the_last_question(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])

    def slow() -> Iterator[Batch]:
        for seconds in (1, 2, 4):
            clock[0] += seconds
            yield setting.batch(2)

    timed = recorder.TimedBatches(slow())
    next(timed)
    clock[0] += 3  # of work
    next(timed)
    clock[0] += 6
    assert timed.share() == pytest.approx(3 / 12)
    next(timed)
    assert timed.share() == 1
    with pytest.raises(StopIteration):
        next(timed)
    clock[0] += 5
    assert timed.share() == 0


def test_what_one_process_finds_stops_all() -> None:
    """The losses here are fine; those of the other process are not."""
    theirs = Finding("the loss generator.cycle became inf on x", "losses.generator.cycle", 3, fatal=True)
    unlogged = [StepLosses(4, ["generator.cycle"], torch.ones(1), ["s0"])]

    class Two(Session):
        def gather_objects(self, value: Any) -> list[Any]:
            assert value is None
            return [value, theirs]

    assert recorder.not_finite(unlogged, Two(cpu=True)) is theirs
    assert recorder.not_finite(unlogged, Session(cpu=True)) is None


def test_a_gradient_that_is_not_finite_spoils_no_checkpoint(tmp_path: Path) -> None:
    """The losses of the step are finite, but the updated networks are not."""
    made = training("source_only")
    head = next(made.modules["head"].parameters())
    factors = iter([1.0, float("inf")])
    head.register_hook(lambda gradient: gradient * next(factors))
    with pytest.raises(TrainingError, match=r"step 1: the gradient of the generator is not finite"):
        run(made, batches(itertools.count()), tmp_path, save_every=2, log_every=2)
    assert not (tmp_path / "checkpoints").exists()
    assert "not finite" in lines(tmp_path)[-1]["health"]["begun"][0]["what"]


# --- trainings that go wrong, and some that do not -------------------------------------------------------------------

COLOURS = torch.tensor([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]], dtype=torch.float64)


def coloured() -> Iterator[Batch]:
    """Learnable batches: a class is a colour, and the target is darker."""
    for batch in batches(itertools.count()):
        assert batch.source.label is not None
        assert batch.target is not None
        paint = COLOURS[batch.source.label.clamp(max=3)].permute(0, 3, 1, 2)
        source, target = (
            samples._replace(image=0.3 * samples.image + light * paint.roll(turn, -1))
            for samples, light, turn in ((batch.source, 0.7, 0), (batch.target, 0.5, 8))
        )
        yield Batch(source, target)


def learning(name: str, discriminator: float = 5e-3) -> TrainingState:
    """A method with Adam, which learns within a few dozen steps."""
    made = training(name)
    for player, rate in (("generator", 5e-3), ("discriminator", discriminator)):
        if getattr(made, player) is not None:
            adam = torch.optim.Adam(getattr(made, player).param_groups[0]["params"], lr=rate, betas=(0.5, 0.999))
            adam.param_groups[0]["base_rate"] = rate
            setattr(made, player, adam)
    return made


def forgetting() -> TrainingState:
    """The last class has weight zero in the loss, although it is a quarter of the labels."""
    made = learning("source_only")
    made.objective.task = build_task(setting.SPACE, class_weights=[1.0, 1.0, 1.0, 0.0])
    return made


def findings(made: TrainingState, folder: Path, on_bad_health: Any = "report", steps: int = 100, **limits: Any) -> Any:
    """The findings in the log of a training that logs every four steps."""
    policy = HealthPolicy(Limits(**limits), on_bad_health, setting.SPACE.classes)
    run(made, coloured(), folder, steps=steps, policy=policy, factor=lambda step: 1.0, save_every=40, log_every=4)
    return [finding["what"] for line in lines(folder) for finding in line.get("health", {}).get("begun", [])]


@pytest.mark.promise("health")
@pytest.mark.parametrize("name", ["source_only", "cycada", "dann"])
def test_a_healthy_training_has_no_finding(name: str, tmp_path: Path) -> None:
    assert findings(learning(name), tmp_path) == []
    assert lines(tmp_path)[-1]["losses"]["generator.classification"] < 0.5, "it has learnt"


@pytest.mark.promise("health")
def test_a_discriminator_with_a_huge_rate_collapses_and_that_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = "the discriminator of feature_adversarial has collapsed: it gives every sample the same answer"
    assert what in findings(learning("cycada", discriminator=30.0), tmp_path, steps=60)
    assert capsys.readouterr().out.count(f"test: step 40: {what} (since step 4)\n") == 1


@pytest.mark.promise("health")
def test_a_class_that_costs_nothing_vanishes_and_that_is_noticed(tmp_path: Path) -> None:
    assert findings(forgetting(), tmp_path, steps=60, learning=13) == ["the class d is not predicted on the target"]


@pytest.mark.promise("health-stops")
def test_a_finding_stops_a_training_that_is_to_stop(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        findings(forgetting(), tmp_path, "stop", learning=13)
    message = str(caught.value)
    last = lines(tmp_path)[-1]
    assert message.startswith(f"step {last['step']}: the class d is not predicted on the target (since step ")
    assert "runtime.on_bad_health: report" in message
    assert "\n" not in message
    assert last["health"]["begun"], "the log gives the reason"
    assert [path.name for path in (tmp_path / "checkpoints").glob("*")] == ["step-00000040"]
