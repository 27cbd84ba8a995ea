"""What trackers get of a training, across a stop, and that a training does not depend on them."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segda.batch import Batch
from segda.engine.health import HealthPolicy
from segda.engine.resume import resume
from segda.engine.session import Session
from segda.engine.state import TrainingState
from tests.equivalence import setting
from tests.unit.engine.test_fit import batches, run, training

POLICY = HealthPolicy(classes=setting.SPACE.classes)


class KilledError(Exception):
    """Ends a training where it stands."""


def until(step: int) -> Iterator[Batch]:
    yield from itertools.islice(batches(itertools.count()), step)
    raise KilledError


def go_on(folder: Path, name: str, tracker: str) -> TrainingState:
    """The rest of a training of six steps."""
    trained = training(name)
    resume(trained, folder / "checkpoints", Session(cpu=True))
    run(trained, batches(itertools.count(trained.step)), folder, steps=6, policy=POLICY, trackers=[tracker])
    return trained


def logged(folder: Path) -> dict[int, dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line for line in lines}


def test_tensorboard_has_each_step_of_the_log_once_across_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps 5 and those after the checkpoint of step 4 are made twice."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(KilledError):
        run(training("cyclegan"), until(5), tmp_path, steps=6, policy=POLICY, trackers=["tensorboard"])
    assert go_on(tmp_path, "cyclegan", "tensorboard").step == 6
    assert f"test: tracker tensorboard: tensorboard --logdir {tmp_path.parent}" in capsys.readouterr().out
    events = accumulators.EventAccumulator(str(tmp_path / "tensorboard"), {"scalars": 0, "images": 0})
    events.Reload()
    lines = logged(tmp_path)
    for name in ("losses/generator.cycle", "learning_rate/generator", "gradients/generator", "waiting"):
        part, _, below = name.partition("/")
        expected = [line[part][below] if below else line[part] for line in lines.values()]
        assert [event.step for event in events.Scalars(name)] == [1, 2, 3, 4, 5, 6]
        assert [event.value for event in events.Scalars(name)] == pytest.approx(expected)
    images = {event.step for event in events.Images("source/image-label-translated-cycled")}
    assert images == {2, 4, 6}


class Recording:
    """In place of a tracker of Accelerate's; breaks at the call that is named, if one is."""

    def __init__(self, breaks: str = "") -> None:
        self.breaks, self.calls, self.tracker = breaks, [], self
        self.offline, self.url = False, "https://example.org/run"

    def start(self, name: str, /, *arguments: Any, **options: Any) -> "Recording":
        self._note("start", options)
        return self

    def log(self, values: dict[str, float], step: int) -> None:
        self._note("log", step)

    def log_images(self, values: dict[str, np.ndarray], step: int, **options: Any) -> None:
        self._note("log_images", {name: strip.shape for name, strip in values.items()})

    def finish(self) -> None:
        self._note("finish", None)

    def _note(self, call: str, about: Any) -> None:
        self.calls.append((call, about))
        if call == self.breaks:
            raise ConnectionError("no\nnetwork")

    def made(self, call: str) -> list[Any]:
        return [about for name, about in self.calls if name == call]


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Recording:
    tracker = Recording(getattr(request, "param", ""))
    monkeypatch.setattr(Session, "start_tracker", lambda _, *names, **options: tracker.start(*names, **options))
    return tracker


def test_wandb_goes_on_with_its_run(tmp_path: Path, recording: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KilledError):
        run(training("dann"), until(5), tmp_path, steps=6, policy=POLICY, trackers=["wandb"])
    go_on(tmp_path, "dann", "wandb")
    first, second = recording.made("start")
    assert first["id"] == second["id"]
    assert (first["resume"], first["dir"]) == ("allow", str(tmp_path))
    assert recording.made("log") == [1, 2, 3, 4, 5, 5, 6]
    assert recording.made("finish") == [None, None]
    assert "test: tracker wandb: https://example.org/run" in capsys.readouterr().out


@pytest.mark.parametrize("recording", ["start", "log", "log_images", "finish"], indirect=True)
def test_a_tracker_that_breaks_is_left_out_and_the_training_goes_on(
    tmp_path: Path, recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, alone = training("cyclegan"), training("cyclegan")
    run(trained, batches(itertools.count()), tmp_path / "tracked", policy=POLICY, trackers=["wandb"])
    said = "test: tracker wandb is left out from here on (no network); log.jsonl has every number"
    assert capsys.readouterr().out.count(said) == 1
    assert len(recording.made(recording.breaks)) == 1
    run(alone, batches(itertools.count()), tmp_path / "alone", policy=POLICY)
    for name, module in trained.modules.items():
        for key, tensor in module.state_dict().items():
            assert torch.equal(tensor, alone.modules[name].state_dict()[key]), f"{name}.{key}"


@pytest.mark.parametrize(("method", "expected"), [
    ("source_only", {"source/image-label-predicted": 3, "target/image-predicted": 2}),
    ("cyclegan", {"source/image-label-translated-cycled": 4, "target/image-translated-cycled": 3}),
    ("dann", {"source/image-label-predicted": 3, "target/image-predicted": 2}),
])  # fmt: skip
def test_the_pictures_are_what_the_terms_have_made(
    method: str, expected: dict[str, int], tmp_path: Path, recording: Recording
) -> None:
    run(training(method), batches(itertools.count()), tmp_path, steps=1, policy=POLICY, trackers=["wandb"])
    height, width = setting.batch(1).source.image.shape[-2:]
    (shapes,) = recording.made("log_images")
    for name, columns in expected.items():
        assert shapes[name] == (2, height, columns * width, 3)
    assert set(expected) <= set(shapes)


def test_other_processes_track_nothing(tmp_path: Path, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "is_main", False)
    run(training("source_only"), batches(itertools.count()), tmp_path, policy=POLICY, trackers=["wandb"])
    assert recording.calls == []
