"""The harness: alternating runs, options, the table, and a failing benchmark that does not stop the others."""

import json
import os
import time
import types
from dataclasses import asdict
from itertools import count
from pathlib import Path

import pytest

from tools.bench import harness
from tools.bench.harness import Figure

MET = Figure("crops | pairs", 40.0, "ms", 2.5, other="plain", theirs=100.0, bound=2.0, note="by hand")
MISSED = Figure("peak", 1230.0, "MB", 1230.0, bound=1000.0, sense="at most")


def test_every_file_is_a_benchmark_but_the_harness_what_it_is_fed_and_those_that_run_alone() -> None:
    files = {path.stem for path in (harness.ROOT / "tools" / "bench").glob("*.py")}
    assert files - {"__main__", "compiled", "gpu", "harness", "inputs", "peer_side"} == set(harness.NAMES)


def test_sides_take_turns_and_warm_up_is_dropped() -> None:
    numbers = count()
    sides = {"a": lambda: next(numbers), "b": lambda: next(numbers)}
    assert harness.turns(sides, 2, warm_up=1) == {"a": [2, 4], "b": [3, 5]}
    assert min(harness.medians({"a": lambda: sum(range(1000)), "b": lambda: sum(range(1000))}, 3).values()) > 0


def test_a_fresh_process_is_another_one() -> None:
    assert harness.in_fresh_process(os.getpid) != os.getpid()


def test_a_process_is_ended_after_its_time() -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^not done after 1 s$"):
        harness.in_fresh_process(time.sleep, 60, limit=1)
    assert time.monotonic() - start < 30


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="segda run nothing: exit code 2\n(.|\n)*nothing"):
        harness.segda("run", "nothing")


def test_the_table_by_hand() -> None:
    data = {"machine": "two cores", "figures": [asdict(MET), asdict(MISSED)], "seconds": 7}
    results = {"date": "2026-01-02", "commit": "abc", "failed": ["growth"], "benchmarks": {"data": data}}
    assert harness.render(results) == harness.HEAD + (
        "| data | crops / pairs | 40 ms | plain: 100 ms | 2.5 | at least 2 | met | by hand |\n"
        "| data | peak | 1,230 MB |  | 1,230 MB | at most 1,000 | missed by 23 % |  |\n"
        "\n`growth` failed, and is not in the table.\n"
        "Machine: two cores.\n2026-01-02, commit abc, seconds: `data` 7.\n"
    )


def test_one_that_fails_is_named_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh(function: object, name: str) -> dict[str, object]:
        if name == "steps":
            raise RuntimeError("broken")
        return {"machine": "m", "figures": [asdict(MET)], "seconds": 1}

    monkeypatch.setattr(harness, "in_fresh_process", fresh)
    page = tmp_path / "page.md"
    page.write_text(f"above\n{harness.START}old\n{harness.END}\nbelow\n")
    assert harness.run_all(page) == 1
    results = json.loads((tmp_path / "page.json").read_text())
    assert (results["failed"], list(results["benchmarks"])) == (["steps"], [*harness.NAMES[:-1]])
    assert page.read_text() == f"above\n{harness.START}{harness.render(results)}{harness.END}\nbelow\n"


def test_one_is_measured_and_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.SimpleNamespace(measure=lambda rounds=3: [MET] * rounds)
    monkeypatch.setattr(harness.importlib, "import_module", lambda name: module)
    assert harness.run("data", rounds=1)["figures"] == [asdict(MET)]
    assert "crops | pairs | 40 ms | plain: 100 ms | 2.5" in capsys.readouterr().out
