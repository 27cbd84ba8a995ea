"""The suite of benchmarks: all are found, one that fails does not end it, and the table says what was found."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tools.bench import all as suite
from tools.bench.figure import Figure

MET = Figure("data", "crops | pairs", 40.0, "ms", 2.5, other="plain", theirs=100.0, bound=2.0, note="by hand")
MISSED = Figure("memory", "peak", 1230.0, "MB", 1230.0, bound=1000.0, sense="at most")


def results(**changed: object) -> dict[str, object]:
    benchmarks = {"steps": {"machine": "two cores", "figures": [asdict(MET), asdict(MISSED)], "seconds": 7}}
    kept = {"command": "c", "date": "2026-01-02", "commit": "abc", "seconds": 9, "failed": [], "benchmarks": benchmarks}
    return {**kept, **changed}


def test_every_file_is_a_benchmark_but_the_two_that_are_not(tmp_path: Path) -> None:
    for name in ("steps", "all", "figure", "data"):
        (tmp_path / f"{name}.py").touch()
    assert suite.names(tmp_path) == ["data", "steps"]
    assert {"evaluate", "evaluation", "export", "growth", "scaling"} <= set(suite.names())


@pytest.mark.parametrize("name", suite.names())
def test_a_benchmark_says_what_it_compares_and_takes_json(name: str) -> None:
    text = (suite.FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert "Run:  python -m tools.bench." in text
    assert "figure.add_arguments(" in text
    assert "figure.tell(" in text


def test_the_table_by_hand() -> None:
    met, missed = suite.render(results()).splitlines()[2:4]
    assert met == "| data | crops / pairs | 40 ms | plain: 100 ms | 2.5 | at least 2 | met | by hand |"
    assert missed == "| memory | peak | 1,230 MB |  | 1,230 MB | at most 1,000 | missed by 23 % |  |"
    below = suite.render(results(failed=["growth"])).splitlines()[5:]
    assert below == [
        "`growth` failed, and is not in the table.", "Machine: two cores.",
        "`c`, 2026-01-02, commit abc: 9 seconds; of them `steps` 7.",
    ]  # fmt: skip


def test_the_table_takes_the_place_of_the_old_one() -> None:
    page = f"above\n{suite.START}old\n{suite.END}\nbelow\n"
    assert suite.placed(page, "new\n") == f"above\n{suite.START}new\n{suite.END}\nbelow\n"
    assert suite.placed(suite.placed(page, "new\n"), "new\n") == suite.placed(page, "new\n")
    with pytest.raises(ValueError, match="no <!-- table -->"):
        suite.placed("nothing", "new")


def test_one_that_fails_is_named_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(name: str, scratch: Path, words: list[str]) -> dict[str, object] | None:
        return None if name == "broken" else {"machine": "m", "figures": [asdict(MET)], "seconds": 1}

    monkeypatch.setattr(suite, "names", lambda: ["broken", "sound"])
    monkeypatch.setattr(suite, "run", run)
    page = tmp_path / "page.md"
    page.write_text(suite.START + suite.END)
    assert suite.main(["--page", str(page)]) == 1
    kept = json.loads((tmp_path / "page.json").read_text())
    assert (kept["failed"], list(kept["benchmarks"])) == (["broken"], ["sound"])
    assert page.read_text() == suite.START + suite.render(kept) + suite.END
    monkeypatch.setattr(suite, "names", lambda: ["sound"])
    assert suite.main(["--page", str(page)]) == 0


def test_a_benchmark_runs_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sound.py").write_text(
        "import sys, json; print('shown'); json.dump({'machine': 'm', 'figures': []}, open(sys.argv[2], 'w'))"
    )
    (tmp_path / "broken.py").write_text("raise SystemExit(3)")
    (tmp_path / "silent.py").write_text("")
    (tmp_path / "bench").mkdir()
    for name in ("sound", "broken", "silent"):
        (tmp_path / f"{name}.py").rename(tmp_path / "bench" / f"{name}.py")
    monkeypatch.chdir(tmp_path)
    found = suite.run("sound", tmp_path, package="bench")
    assert found is not None
    assert found["machine"] == "m"
    assert suite.run("broken", tmp_path, package="bench") is None
    assert suite.run("silent", tmp_path, package="bench") is None
    shown = capfd.readouterr()
    assert "shown" in shown.out
    assert "broken: FAILED with exit code 3" in shown.err
    assert "silent: FAILED" in shown.err
