"""Trouble in real trainings: it is noticed, it stops them or rolls them back, and a restart repeats that exactly."""

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from segda.batch import Batch
from segda.engine import checkpoint, roll_back, step_losses
from segda.engine.health import Finding, HealthPolicy, Limits
from segda.engine.roll_back import RollBack
from segda.engine.session import Session
from segda.engine.state import TrainingState
from segda.errors import TrainingError
from segda.tasks.segmentation import build as build_task
from tests.equivalence import setting
from tests.unit.engine.test_fit import RATE, batches, run, training

STEPS = 8
BACK = HealthPolicy(Limits(lines=3), "roll_back")


def factor(step: int) -> float:
    return 1 - step / 16


def stream(start: int, bad: Callable[[int], bool]) -> Iterator[Batch]:
    """The endless batches from one on, some of them with a pixel that is not a number."""
    for number, batch in zip(itertools.count(start), batches(itertools.count(start)), strict=False):
        if bad(number):
            batch.source.image[0, 0, 0, 0] = float("nan")
        yield batch


def lines(folder: Path) -> list[dict[str, Any]]:
    """The log without the times, which differ."""
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in ("seconds", "waiting")} for line in found]


def go_on(folder: Path, bad: Callable[[int], bool], care: HealthPolicy = BACK, **changes: Any) -> dict[str, Tensor]:
    """Train to the end from whatever is in the folder; what comes of it, optimizer included."""
    made = training("source_only")
    start = made.restore(folder / "checkpoints", Session(cpu=True))
    first = start + roll_back.passed_over(made.roll_backs)
    options = {"steps": STEPS, "save_every": 2, "log_every": 2, "factor": factor, **changes}
    run(made, stream(first, bad), folder, start=start, care=care, **options)
    return checkpoint.flatten(made.modules)


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


def test_a_roll_back_goes_on_with_the_next_batches_at_half_the_rate(tmp_path: Path) -> None:
    """Batch 5 is bad and noticed after step 6; from the checkpoint of step 4 on it is batches 6, 7, 8 and 9."""
    found = go_on(tmp_path, lambda number: number == 5)
    by_hand = training("source_only")
    for step, number in enumerate([0, 1, 2, 3, 6, 7, 8, 9]):
        samples = setting.batch(2, start=2 * number)
        gradients = setting.step(by_hand.objective, samples, progress=step / STEPS).gradients
        rate = RATE * factor(step) * (0.5 if step >= 4 else 1.0)
        with torch.no_grad():
            for module, held in by_hand.modules.items():
                for key, parameter in held.named_parameters():
                    parameter -= rate * gradients[f"{module}/{key}"]
    for name, value in checkpoint.flatten(by_hand.modules).items():
        torch.testing.assert_close(found[name], value, rtol=1e-7, atol=1e-10)


def test_a_roll_back_stands_in_the_log_and_in_what_is_returned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    go_on(tmp_path, lambda number: number == 5)
    told = lines(tmp_path)
    assert [line["step"] for line in told] == [2, 4, 6, 4, 6, 8]
    (trouble,) = told[2]["health"]["begun"]
    assert trouble == {
        "what": "the loss generator.classification became nan on s0, s1, t0, t1",
        "series": "losses.generator.classification",
        "since": 6,
        "until": None,
    }
    assert told[3] == {"step": 4, "roll_back": {"noticed": 6, "to": 4, "because": trouble["what"]}}
    assert [line["learning_rate"]["generator"] for line in told if "losses" in line] == pytest.approx(
        [RATE * share for share in (factor(1), factor(3), factor(5) / 2, factor(7) / 2)]
    )
    assert f"rolled back from step 6 to 4: {trouble['what']}\n" in capsys.readouterr().out


def test_a_roll_back_waits_for_the_checkpoint_in_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of step 6 is on its way to a slow disk when step 8 is found to be bad."""
    replace = os.replace

    def slow(source: Any, target: Any) -> None:
        time.sleep(0.3 * str(target).endswith("step-00000006"))
        replace(source, target)

    monkeypatch.setattr(os, "replace", slow)
    go_on(tmp_path, lambda number: number == 7)
    assert [line["roll_back"]["to"] for line in lines(tmp_path) if "roll_back" in line] == [6]


def test_bad_numbers_for_ever_stop_the_training_after_the_roll_backs_that_it_may_have(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        go_on(tmp_path, lambda number: number >= 5)
    message = str(caught.value)
    assert message.startswith("step 6: the loss generator.classification became nan on s0, s1")
    assert "rolled back 3 times already" in message
    assert "\n" not in message
    assert [line["roll_back"]["noticed"] for line in lines(tmp_path) if "roll_back" in line] == [6, 6, 6]
    with pytest.raises(TrainingError, match="rolled back 3 times already"):
        go_on(tmp_path, lambda number: number >= 5)


def test_numbers_that_are_bad_from_the_first_batch_on_roll_back_to_the_beginning(tmp_path: Path) -> None:
    found = go_on(tmp_path, lambda number: number == 0)
    made = training("source_only")
    made.roll_backs = [RollBack(2, 0, "")]
    (tmp_path / "other").mkdir()
    run(made, stream(2, lambda number: False), tmp_path / "other", steps=STEPS, factor=factor)
    same(found, checkpoint.flatten(made.modules))


def test_what_one_process_finds_stops_all(tmp_path: Path) -> None:
    """The losses here are fine; those of the other process are not."""
    theirs = Finding("the loss generator.cycle became inf on x", "losses.generator.cycle", 3, fatal=True)
    pending = [step_losses.named(4, {"cycle": torch.ones(())}, {}, setting.batch(2))]

    class Two(Session):
        def gather_objects(self, value: Any) -> list[Any]:
            assert value is None
            return [value, theirs]

    assert step_losses.not_finite(pending, Two(cpu=True)) is theirs
    assert step_losses.not_finite(pending, Session(cpu=True)) is None


def test_a_gradient_that_is_not_finite_spoils_no_checkpoint(tmp_path: Path) -> None:
    """The losses of the step are finite; what it makes of the networks is not."""
    made = training("source_only")
    head = next(made.modules["head"].parameters())
    factors = iter([1.0, float("inf")])
    head.register_hook(lambda gradient: gradient * next(factors))
    with pytest.raises(TrainingError, match=r"step 1: the gradient of the generator is not finite"):
        run(made, stream(0, lambda number: False), tmp_path, save_every=2, log_every=2)
    assert not (tmp_path / "checkpoints").exists()


class KilledError(BaseException):
    """In place of a signal."""


def killed_at(event: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[Callable[[], None]], None]) -> bool:
    """Do `work`, killed at an event: a file or folder about to be published or removed, or a batch about to be read."""
    left = event

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            count()
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(shutil, "rmtree", counted(shutil.rmtree))
        try:
            work(count)
        except KilledError:
            return True
    return False


@pytest.mark.parametrize("pace", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_a_restart_after_or_amid_a_roll_back_repeats_it_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pace: int
) -> None:
    """Two bad batches, two roll backs; killed at each `pace`-th of the moments at which it could hurt."""
    whole = tmp_path / "whole"
    whole.mkdir()
    expected = go_on(whole, lambda number: number in (3, 7))
    assert sum("roll_back" in line for line in lines(whole)) == 2
    for event in itertools.count(pace, pace):
        folder = tmp_path / str(event)
        folder.mkdir()

        def work(count: Callable[[], None], folder: Path = folder) -> None:
            def bad(number: int) -> bool:
                count()
                return number in (3, 7)

            go_on(folder, bad)

        if not killed_at(event, monkeypatch, work):
            break
        same(go_on(folder, lambda number: number in (3, 7)), expected)
        assert lines(folder) == lines(whole), event
        shutil.rmtree(folder)
    assert event > 20


def test_a_checkpoint_from_before_the_trouble_is_kept_for_as_long_as_it_may_be_needed(tmp_path: Path) -> None:
    """A verdict comes up to `reach` steps late, when the two newest checkpoints are bad already."""
    for step in range(0, 201, 10):
        checkpoint.save(tmp_path, step, {"x": torch.ones(1)}, {}, reach=45)
        there = sorted(checkpoint.step_of(place) for place in tmp_path.glob("step-*"))
        assert there[-2:] == [step - 10, step][-len(there) :]
        assert any(step - 2 * 45 - 10 <= old <= max(step - 45, 0) for old in there)
        assert len(there) <= 4


def test_without_an_earlier_checkpoint_a_roll_back_is_an_error(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 6, {"x": torch.ones(1)}, {})
    with pytest.raises(TrainingError, match="no checkpoint from before step 5"):
        roll_back.drop(tmp_path, 5, 9, "x", done=0, most=3, session=Session(cpu=True))
    assert checkpoint.load_newest(tmp_path)[0] == 6, "what is there stays"


# --- trainings that go wrong by themselves, and some that do not ----------------------------------------------------

COLOURS = torch.tensor([[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, -1]], dtype=torch.float64)


def coloured() -> Iterator[Batch]:
    """Batches from which something can be learnt: a class is a colour, and the target is darker."""
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
    """A method with Adam, which learns in some dozens of steps."""
    made = training(name)
    for player, rate in (("generator", 5e-3), ("discriminator", discriminator)):
        if getattr(made, player) is not None:
            adam = torch.optim.Adam(getattr(made, player).param_groups[0]["params"], lr=rate, betas=(0.5, 0.999))
            adam.param_groups[0]["base_rate"] = rate
            setattr(made, player, adam)
    return made


def forgetting() -> TrainingState:
    """The last class costs nothing in the loss, though a quarter of the labels is of it."""
    made = learning("source_only")
    made.objective._task = build_task(setting.SPACE, class_weights=[1.0, 1.0, 1.0, 0.0])
    return made


def told(made: TrainingState, folder: Path, policy: Any = "report", steps: int = 100, **limits: Any) -> list[str]:
    """What the log says of a training that writes a line every four steps."""
    care = HealthPolicy(Limits(**limits), policy, setting.SPACE.classes)
    run(made, coloured(), folder, steps=steps, care=care, factor=lambda step: 1.0, save_every=40, log_every=4)
    return [trouble["what"] for line in lines(folder) for trouble in line.get("health", {}).get("begun", [])]


@pytest.mark.parametrize("name", ["source_only", "cycada", "dann"])
def test_a_healthy_training_gives_no_verdict(name: str, tmp_path: Path) -> None:
    assert told(learning(name), tmp_path) == []
    assert lines(tmp_path)[-1]["losses"]["generator.classification"] < 0.5, "it has learnt"


def test_a_discriminator_with_a_huge_rate_collapses_and_that_is_noticed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    what = "the discriminator of feature_adversarial has collapsed: it gives every sample the same answer"
    assert what in told(learning("cycada", discriminator=30.0), tmp_path, steps=60)
    assert capsys.readouterr().out.count(f"test: step 40: {what} (since step 4)\n") == 1


def test_a_class_that_costs_nothing_vanishes_and_that_is_noticed(tmp_path: Path) -> None:
    assert told(forgetting(), tmp_path, steps=60, learning=13) == ["the class d is not predicted on the target"]


def test_trouble_stops_a_training_that_is_to_stop(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        told(forgetting(), tmp_path, "stop", learning=13)
    message = str(caught.value)
    last = lines(tmp_path)[-1]
    assert message.startswith(f"step {last['step']}: the class d is not predicted on the target (since step ")
    assert "runtime.on_bad_health: report" in message
    assert "\n" not in message
    assert last["health"]["begun"], "the log says why"
    assert [place.name for place in (tmp_path / "checkpoints").glob("*")] == ["step-00000040"]


def test_trouble_rolls_a_training_back_to_before_it_began(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the class . is not .* rolled back 3 times already"):
        told(forgetting(), tmp_path, "roll_back", learning=13)
    found = lines(tmp_path)
    begun = [trouble for line in found for trouble in line.get("health", {}).get("begun", [])]
    backs = [line["roll_back"] for line in found if "roll_back" in line]
    assert len(backs) == 3
    for back in backs:
        (trouble,) = [one for one in begun if one["what"] == back["because"]][:1]
        assert back["to"] < trouble["since"] < back["noticed"]
