"""Profiling some steps: the parts add up, the trace contains them, and the training is unchanged."""

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
    lines = re.findall(
        r"^(\S.*?) +([\d.-]+) +([\d.-]+) % +([\d.]+)$", (folder / profiler.SUMMARY).read_text(), re.MULTILINE
    )
    return {name: (float(spent), float(share), float(calls)) for name, spent, share, calls in lines}


def regions(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Begin and end of each named region of the trace, in microseconds."""
    spans: dict[str, list[tuple[float, float]]] = {}
    with gzip.open(folder / profiler.TRACE, "rt") as file:
        for event in json.load(file)["traceEvents"]:
            if event.get("cat") == "user_annotation" and not event["name"].startswith("ProfilerStep"):
                spans.setdefault(event["name"], []).append((event["ts"], event["ts"] + event["dur"]))
    return spans


class Made(NamedTuple):
    """A profiled training, its folder, and what was printed."""

    training: TrainingState
    folder: Path
    output: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder, output = tmp_path_factory.mktemp("profiled"), io.StringIO()
    with redirect_stdout(output):
        return Made(profiled(folder), folder, output.getvalue())


@pytest.mark.promise("profile-adds-up")
def test_the_parts_add_up_to_the_step(made: Made) -> None:
    table = rows(made.folder)
    total = table["whole step"][0]
    parts = [table[name][0] for name in (*profiler.PARTS, "everything else") if name in table]
    assert sum(parts) == pytest.approx(total, rel=0.01)
    head = (made.folder / "profile.txt").read_text().splitlines()[0]
    assert head == f"test, steps 6 to 10: {total:.2f} ms a step"
    assert table["everything else"][1] < 20
    assert sum(share for name, (_, share, _) in table.items() if name in profiler.PARTS) > 80
    for name in ("waiting for data", "generators: losses", "generators: gradients", "optimizers", "moving average"):
        assert table[name][0] > 0, name
        assert table[name][2] == 1, name
    assert table["saving"][2] == pytest.approx(0.2), "one checkpoint, of step 8, in five steps"
    terms = {name for name in table if name.startswith("generators: term ")}
    assert terms == {f"generators: term {name}" for name in made.training.objective.terms}
    inner = sum(table[term][0] for term in terms)
    assert inner == pytest.approx(table["generators: losses"][0], rel=0.2)
    assert {f"network {name}" for name in made.training.modules} <= table.keys()
    assert table["network encoder"][2] >= 2
    assert "aten::conv" in (made.folder / profiler.SUMMARY).read_text()
    message = f"test: steps 6 to 10 profiled: {made.folder / 'profile.txt'}, trace in profile.json.gz"
    assert made.output.splitlines()[0].endswith(message)


@pytest.mark.promise("profile-adds-up")
def test_the_trace_holds_the_same_parts(made: Made) -> None:
    table, spans = rows(made.folder), regions(made.folder)
    assert {"network encoder", "network decoder", "generators: losses", "saving"} <= table.keys() & spans.keys()
    for name in table.keys() & spans.keys():
        assert len(spans[name]) == round(5 * table[name][2]), name
    for name in ("generators: losses", "generators: gradients"):
        seconds = sum(end - begin for begin, end in spans[name]) / 1e6
        assert seconds == pytest.approx(5 * table[name][0] / 1000, rel=0.2), name
    losses = sorted(spans["generators: losses"])
    gradients = sorted(spans["generators: gradients"])
    for (begin, end), (after, _) in zip(losses, gradients, strict=True):
        assert end <= after
        assert sum(begin <= one and two <= end for one, two in spans["network encoder"]) >= 2
    with gzip.open(made.folder / profiler.TRACE, "rt") as file:
        events = json.load(file)["traceEvents"]
    assert any(event.get("name", "").startswith("aten::conv") for event in events)


@pytest.mark.promise("profile-adds-up")
def test_training_comes_to_the_same_bits(tmp_path: Path) -> None:
    weights = [
        checkpoint.flatten(profiled(tmp_path / str(profile), "dann", 8, profile=profile).modules)
        for profile in (True, False)
    ]
    assert all(torch.equal(weights[0][key], value) for key, value in weights[1].items())
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
    table = rows(tmp_path)
    assert table["waiting for data"][2] == 3
    assert table["discriminators: updates of their own"][2] == 4, "two batches, and a step after each"


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
