"""Every kind of stage killed, or its disk full, at any write, rename or flush: rerun, it gives the same result."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from pipelines.command_line import explain
from tests.pipelines import tiny
from tests.resume import chain as chains
from tests.resume import jobs
from tools.soaking import faults


class Undisturbed(NamedTuple):
    """A finished chain: its runs folder, and for each kind of stage its events and its result."""

    runs: Path
    events: dict[str, list[str]]
    outcome: dict[str, dict[str, Any]]


@pytest.fixture(scope="session", autouse=True)
def one_moment() -> Iterator[None]:
    """Reports contain the time they were made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "strftime", lambda *_: "2020-01-01")
        yield


@pytest.fixture(scope="session")
def undisturbed(chain: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    runs = tmp_path_factory.mktemp("undisturbed") / "runs"
    events, outcome = {}, {}
    for kind in chains.KINDS:
        with faults.injected(runs) as events[kind]:
            jobs.run(chain, runs, only=kind)
        outcome[kind] = chains.outcome(chain, runs, kind)
    return Undisturbed(runs, events, outcome)


def own(events: list[str]) -> list[int]:
    """The numbers of a stage's own events; the others only rewrite the run's lock file."""
    return [number for number, event in enumerate(events, 1) if ".lock.json" not in event and event != "fsync "]


def survive(chain: Path, undisturbed: Undisturbed, folder: Path, kind: str, number: int, harm: str) -> None:
    """Run one kind of stage with a fault at event `number`, then again, and compare."""
    event = f"{harm} at {number}, {undisturbed.events[kind][number - 1]}"
    runs = chains.before(undisturbed.runs, folder / f"{kind}-{number}-{harm}", chain, kind)

    def disturbed() -> None:
        with faults.injected(runs, number, harm):
            jobs.run(chain, runs, only=kind)

    if harm == "kill":
        assert tiny.killed(disturbed, 0, ()), event
    else:
        try:
            disturbed()
        except Exception as error:
            text, code = explain(error, debug=False)
            assert code == 2 or harm == "broken", f"{event}: {text}"
            assert code == 1 or ("\n" not in text and text.startswith("error: ")), f"{event}: {text}"
    jobs.run(chain, runs, only=kind)
    assert chains.outcome(chain, runs, kind) == undisturbed.outcome[kind], event
    assert jobs.leftovers(jobs.folder(chain, runs, kind)) == [], event
    assert not list(runs.glob(".*")), event


@pytest.mark.promise("write-faults")
def test_every_write_is_followed_by_a_rename_or_is_a_log(undisturbed: Undisturbed) -> None:
    """The events to choose from: results are written under temporary names, except appended lines."""
    for kind, events in undisturbed.events.items():
        renamed = [event.split(" ")[1] for event in events if event.startswith(("replace", "rename"))]
        assert any(name.endswith("manifest.json") for name in renamed), kind
        written = [event.split(" ")[1] for event in events if event.startswith("write")]
        plain = [name for name in written if not any(part.startswith(".") for part in Path(name).parts[1:])]
        assert {Path(name).name for name in plain} <= {"log.jsonl", "agreement-0.jsonl"}, kind
    assert sum("checkpoints" in event for event in undisturbed.events["align"]) >= 12


@pytest.mark.promise("write-faults")
@pytest.mark.parametrize("kind", chains.KINDS)
def test_some_faults(chain: Path, undisturbed: Undisturbed, tmp_path: Path, kind: str) -> None:
    random = Random(f"faults in {kind}")
    number = random.choice(own(undisturbed.events[kind]))
    survive(chain, undisturbed, tmp_path, kind, number, random.choice(faults.HARMS))


@pytest.mark.promise("write-faults")
@pytest.mark.slow
@pytest.mark.parametrize("harm", faults.HARMS)
@pytest.mark.parametrize("kind", chains.KINDS)
def test_every_fault(chain: Path, undisturbed: Undisturbed, tmp_path: Path, kind: str, harm: str) -> None:
    for number in sorted({1, 2, 3, 4, *own(undisturbed.events[kind])}):
        survive(chain, undisturbed, tmp_path, kind, number, harm)
