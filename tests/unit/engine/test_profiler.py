"""A profile of some steps: its parts add up, the trace holds them, and the training does not notice."""

import gzip
import io
import itertools
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from segda.engine import checkpoint, profiler, signals
from segda.engine.ema import MovingAverage
from segda.engine.state import TrainingState
from tests.unit.engine.test_fit import batches, run, training


def profiled(
    folder: Path, name: str = "i2i", steps: int = 12, start: int = 0, stream: Any = None, **changes: Any
) -> TrainingState:
    made = training(name)
    made.step = start
    made.average = MovingAverage({"encoder": made.modules["encoder"]} if "encoder" in made.modules else {}, 0.9)
    options = {"steps": steps, "log_every": 4, "save_every": 8, "factor": lambda step: 0.01, "profile": True, **changes}
    run(made, stream or batches(itertools.count()), folder, **options)
    return made


def rows(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Milliseconds, share in percent and calls, by name."""
    found = re.findall(
        r"^(\S.*?) +([\d.-]+) +([\d.-]+) % +([\d.]+)$", (folder / profiler.SUMMARY).read_text(), re.MULTILINE
    )
    return {name: (float(spent), float(share), float(calls)) for name, spent, share, calls in found}


def regions(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Begin and end of what was named in the trace, in microseconds."""
    found: dict[str, list[tuple[float, float]]] = {}
    with gzip.open(folder / profiler.TRACE, "rt") as file:
        for event in json.load(file)["traceEvents"]:
            if event.get("cat") == "user_annotation" and not event["name"].startswith("ProfilerStep"):
                found.setdefault(event["name"], []).append((event["ts"], event["ts"] + event["dur"]))
    return found


class Made(NamedTuple):
    """A training that was profiled, its folder, and what was said."""

    training: TrainingState
    folder: Path
    said: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, said = tmp_path_factory.mktemp("profiled"), io.StringIO()
    with redirect_stdout(said):
        return Made(profiled(folder), folder, said.getvalue())


@pytest.mark.promise("profile-adds-up")
def test_the_parts_add_up_to_the_step(made: Made) -> None:
    told = rows(made.folder)
    whole = told["whole step"][0]
    parts = [told[name][0] for name in (*profiler.PARTS, "everything else") if name in told]
    assert sum(parts) == pytest.approx(whole, rel=0.01)
    head = (made.folder / "profile.txt").read_text().splitlines()[0]
    assert head == f"test, steps 6 to 10: {whole:.2f} ms a step"
    assert told["everything else"][1] < 20
    assert sum(share for name, (_, share, _) in told.items() if name in profiler.PARTS) > 80
    for name in ("waiting for data", "generators: losses", "generators: gradients", "optimizers", "moving average"):
        assert told[name][0] > 0, name
        assert told[name][2] == 1, name
    assert told["saving"][2] == pytest.approx(0.2), "the checkpoint of step 8 is one in five steps"
    terms = {name for name in told if name.startswith("generators: term ")}
    assert terms == {f"generators: term {name}" for name in made.training.objective.terms}
    inner = sum(told[term][0] for term in terms)
    assert inner == pytest.approx(told["generators: losses"][0], rel=0.2)
    assert {f"network {name}" for name in made.training.modules} <= told.keys()
    assert told["network encoder"][2] >= 2
    assert "aten::conv" in (made.folder / profiler.SUMMARY).read_text()
    told_where = f"test: steps 6 to 10 profiled: {made.folder / 'profile.txt'}, trace in profile.json.gz"
    assert made.said.splitlines()[0] == told_where


@pytest.mark.promise("profile-adds-up")
def test_the_trace_holds_the_same_parts(made: Made) -> None:
    told, found = rows(made.folder), regions(made.folder)
    assert {"network encoder", "network decoder", "generators: losses", "saving"} <= told.keys() & found.keys()
    for name in told.keys() & found.keys():
        assert len(found[name]) == round(5 * told[name][2]), name
    for name in ("generators: losses", "generators: gradients"):
        seconds = sum(end - begin for begin, end in found[name]) / 1e6
        assert seconds == pytest.approx(5 * told[name][0] / 1000, rel=0.2), name
    losses = sorted(found["generators: losses"])
    gradients = sorted(found["generators: gradients"])
    for (begin, end), (after, _) in zip(losses, gradients, strict=True):
        assert end <= after
        assert sum(begin <= one and two <= end for one, two in found["network encoder"]) >= 2
    with gzip.open(made.folder / profiler.TRACE, "rt") as file:
        events = json.load(file)["traceEvents"]
    assert any(event.get("name", "").startswith("aten::conv") for event in events)


@pytest.mark.promise("profile-adds-up")
def test_training_comes_to_the_same_bits(tmp_path: Path) -> None:
    found = [
        checkpoint.flatten(profiled(tmp_path / str(wanted), "dann", 8, profile=wanted).modules)
        for wanted in (True, False)
    ]
    assert all(torch.equal(found[0][key], value) for key, value in found[1].items())
    assert (tmp_path / "True" / "profile.txt").is_file()
    assert not list((tmp_path / "False").glob("profile*"))
    lines = [
        [{**json.loads(line), "seconds": 0, "waiting": 0} for line in log.read_text().splitlines()]
        for log in (tmp_path / "True" / "log.jsonl", tmp_path / "False" / "log.jsonl")
    ]
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("start", "steps", "span"),
    [(0, 1, "step 1:"), (0, 3, "steps 2 to 3:"), (0, 7, "steps 3 to 7:"), (4, 40, "steps 10 to 14:")],
)
def test_a_short_training_is_profiled_as_far_as_it_goes(tmp_path: Path, start: int, steps: int, span: str) -> None:
    profiled(tmp_path, "source_only", steps, start)
    assert f", {span}" in (tmp_path / "profile.txt").read_text().splitlines()[0]


def test_critics_with_updates_of_their_own_have_a_part(tmp_path: Path) -> None:
    profiled(tmp_path, "i2i", 2, discriminator_steps=3)
    told = rows(tmp_path)
    assert told["waiting for data"][2] == 3
    assert told["discriminators: updates of their own"][2] == 4, "two batches, and a step after each"


def test_a_training_that_is_stopped_amid_leaves_no_profile_and_no_profiler_running(tmp_path: Path) -> None:
    def stopping() -> Iterator[Any]:
        for number, batch in enumerate(batches(itertools.count())):
            if number == 7:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    with signals.handle_signals(), pytest.raises(signals.StoppedError):
        profiled(tmp_path, "source_only", stream=stopping())
    assert not list(tmp_path.glob("profile*"))
    assert not torch.autograd._profiler_enabled()
    profiled(tmp_path, "source_only", 3)
    assert rows(tmp_path)
