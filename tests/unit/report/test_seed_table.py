"""Rows over seeds: mean, sample deviation, gain seed by seed, and papers' numbers."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segda.artefacts.manifest import write_json
from segda.errors import ArtefactError
from segda.report import results_file, seed_table
from segda.report.results_file import Scored
from segda.report.seed_table import Claims
from segda.report.terminal import to_text
from tests.unit.report.scored_runs import accuracy, digits, scored_in, write_run


def test_mean_spread_and_gain_are_over_the_seeds(tmp_path: Path) -> None:
    digits(tmp_path)
    table = seed_table.build("digits", scored_in(tmp_path))
    rows = seed_table.to_json(table)["rows"]
    assert rows["dann"]["values"] == pytest.approx({"0": 0.80, "1": 0.84, "2": 0.88})
    assert (rows["dann"]["mean"], rows["dann"]["spread"]) == (pytest.approx(0.84), pytest.approx(0.04))
    # 20, 22 and 24 points: each seed against its own source only.
    assert rows["dann"]["gain"]["mean"] == pytest.approx(0.22)
    assert rows["dann"]["gain"]["spread"] == pytest.approx(0.02)
    assert rows["source only"]["gain"] is None
    assert table.headline == "accuracy"
    assert seed_table.to_json(table)["classes"]["one"]["dann"]["mean"] == pytest.approx((30 + 34 + 38) / 150)


def test_markdown_is_the_table_to_the_letter(tmp_path: Path) -> None:
    digits(tmp_path)
    assert seed_table.to_markdown(seed_table.build("digits", scored_in(tmp_path))) == "\n".join([
        "| row | seed 0 | seed 1 | seed 2 | mean ± spread | gain ± spread | gap closed | worst class |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| source only | 60.0 | 62.0 | 64.0 | 62.0 ± 2.0 |  |  |  |",
        "| dann | 80.0 | 84.0 | 88.0 | 84.0 ± 4.0 | +22.0 ± 2.0 | 79% | none |",
        "| with labels (oracle) | 90.0 | 90.0 | 90.0 | 90.0 ± 0.0 | +28.0 ± 2.0 |  |  |",
    ])  # fmt: skip


def test_a_single_seed_has_no_spread(tmp_path: Path) -> None:
    digits(tmp_path, seeds=1)
    header, lines = seed_table.cells(seed_table.build("digits", scored_in(tmp_path)))
    assert header == ["row", "seed 0", "gain", "gap closed", "worst class"]
    assert lines[1] == ["dann", "80.0", "+20.0", "67%", "none"]


def test_a_row_that_lacks_a_seed_is_compared_where_it_has_one(tmp_path: Path) -> None:
    digits(tmp_path, seeds=2)
    write_run(tmp_path, "digits", 2, {"source only": accuracy(70)})
    table = seed_table.build("digits", scored_in(tmp_path))
    _, lines = seed_table.cells(table)
    assert lines[1][1:4] == ["80.0", "84.0", "–"]
    assert lines[1][5] == f"+21.0 ± {100 * math.sqrt(2) / 100:.1f}"


def test_claims_have_columns_of_their_own_and_rows(tmp_path: Path) -> None:
    digits(tmp_path, seeds=1)
    claims = Claims({"dann": {"tutorial": 94.3}, "cogan": {"paper": 91.2}}, {"tutorial": "its last table"})
    table = seed_table.build("digits", scored_in(tmp_path), claims)
    header, lines = seed_table.cells(table)
    assert header[-2:] == ["tutorial", "paper"]
    assert [line[-2:] for line in lines] == [["", ""], ["94.3", ""], ["", ""], ["", "91.2"]]
    assert lines[3][:2] == ["cogan", "–"]
    assert "tutorial: its last table" in table.legend
    assert seed_table.to_json(table)["rows"]["dann"]["claims"] == {"tutorial": 94.3}


def test_runs_that_differ_in_more_than_the_seed_are_experiments_of_their_own(tmp_path: Path) -> None:
    digits(tmp_path, seeds=2)
    write_run(tmp_path, "digits", 2, {"source only": accuracy(60)}, steps=8)
    experiments = seed_table.experiments(scored_in(tmp_path))
    assert [(title.split()[0], [run.seed for run in runs]) for title, runs in experiments.items()] == [
        ("digits", [0, 1]), ("digits-seed2", [2]),
    ]  # fmt: skip


def test_several_evaluations_of_a_run_are_tables_of_their_own() -> None:
    first = Scored("digits", "to usps", 0, "a", {"x": accuracy(60)}, {})
    second = Scored("digits", "to mnist", 0, "a", {"x": accuracy(70)}, {})
    assert list(seed_table.experiments([first, second])) == ["digits: to usps", "digits: to mnist"]
    with pytest.raises(ArtefactError, match="seed 0 occurs twice"):
        seed_table.experiments([first, first])


def test_gains_of_selected_rows_are_over_the_first_row(tmp_path: Path) -> None:
    digits(tmp_path)
    table = seed_table.build("digits", scored_in(tmp_path), only=["dann"])
    assert [row.name for row in table.rows] == ["dann"]
    assert seed_table.to_json(table)["rows"]["dann"]["gain"]["mean"] == pytest.approx(0.22)
    assert list(seed_table.to_json(table)["summary"]["accuracy"]) == ["dann"]
    with pytest.raises(ArtefactError, match="no row 'adda'"):
        seed_table.build("digits", scored_in(tmp_path), only=["adda"])


def test_data_that_differ_between_seeds_alone_need_no_note(tmp_path: Path) -> None:
    """A pipeline may draw its data from the seed; within a seed all rows must have been scored on the same."""
    for seed in range(2):
        write_run(tmp_path, "a", seed, {row: accuracy(60, data_fingerprint=str(seed)) for row in ("x", "y")})
        write_run(tmp_path, "b", seed, {row: accuracy(60, data_fingerprint=row) for row in ("x", "y")})
    runs = seed_table.experiments(scored_in(tmp_path))
    assert seed_table.build("a", runs["a"]).scores.notes == ()
    assert "data fingerprint differs" in seed_table.build("b", runs["b"]).scores.notes[0]


def test_on_a_narrow_terminal_the_mean_stays(tmp_path: Path) -> None:
    digits(tmp_path)
    table = seed_table.build("digits", scored_in(tmp_path))
    assert "seed 1" in to_text(table, 120)
    narrow = to_text(table, 60)
    assert "seed 1" not in narrow
    assert "84.0 ± 4.0" in narrow
    assert max(map(len, narrow.splitlines())) <= 60


def test_columns_that_do_not_fit_go_on_below(tmp_path: Path) -> None:
    """No cell is broken over two lines, and each part of the table names its rows."""
    digits(tmp_path)
    narrow = to_text(seed_table.build("digits", scored_in(tmp_path)), 40).splitlines()
    row = [line.split(maxsplit=1) for line in narrow if line.startswith("dann ")]
    assert row == [["dann", "84.0 ± 4.0"], ["dann", "+22.0 ± 2.0"], ["dann", "79%   none"]]
    assert max(map(len, narrow)) <= 40


def test_what_selection_picks_is_a_column_that_names_its_use_of_labels(tmp_path: Path) -> None:
    """In two of three seeds entropy picks dann, in one a checkpoint of source only; labels pick dann in one."""
    digits(tmp_path)
    assert "picked by" not in seed_table.cells(seed_table.build("digits", scored_in(tmp_path)))[0]
    candidates = {"dann": {"row": "dann", "step": None}, "early": {"row": "source only", "step": 4}}
    seen = (("digits", "dann", None), ("digits-seed1", "dann", "dann"), ("digits-seed2", "early", None))
    for run, picked, oracle in seen:
        write_json(tmp_path / f"{run}.selection.json", {
            "candidates": candidates, "picks": {"entropy": {"candidate": picked}},
            "oracle": oracle and {"candidate": oracle},
        })  # fmt: skip
    table = seed_table.build("digits", scored_in(tmp_path))
    header, lines = seed_table.cells(table)
    assert header[-1] == "picked by"
    assert [line[-1] for line in lines] == ["entropy at step 4 1x", "entropy 2x, target labels (oracle) 1x", ""]
    assert seed_table.to_json(table)["rows"]["dann"]["picked"] == {"entropy": 2, "target labels (oracle)": 1}
    results_file.write(tmp_path / "saved.json", scored_in(tmp_path))
    assert seed_table.cells(seed_table.build("digits", results_file.read(tmp_path / "saved.json"))) == (header, lines)
    (tmp_path / "digits.selection.json").write_text("{}")
    with pytest.raises(ArtefactError, match=r"digits.selection.json: not a selection .*segda select digits"):
        scored_in(tmp_path)


def test_categories_are_kept_by_seed(evaluation: Callable[..., dict[str, Any]]) -> None:
    groups = {"categories": ["ground", "ground", "sky"]}
    runs = [
        Scored("streets", "evaluate", seed, "0", {"a": evaluation(2, **groups), "b": evaluation(7, **groups)}, {})
        for seed in (0, 1)
    ]
    sections = seed_table.to_json(seed_table.build("streets", runs, only=["b"]))["sections"]
    assert list(sections) == ["category IoU"]
    assert list(sections["category IoU"]["ground"]) == ["b"]
    assert sections["category IoU"]["ground"]["b"]["values"] == [1, 1]
