"""Stages that depend on a fold are repeated for each, and those that do not run once."""

from typing import Any

import pytest

from pipelines.definition.folds import unfolded
from segda.errors import ConfigError

FOLDS = {"a": {"adapt": ["b_*"], "score": ["a_*"]}, "b": {"adapt": ["a_*"], "score": ["b_*"]}}
STAGES: dict[str, Any] = {
    "source": {"kind": "supervise", "data": {"name": "carla"}},
    "feature": {"kind": "align", "target": {"include": {"fold": "adapt"}}, "init": {"from": "source"}},
    "evaluate": {
        "kind": "evaluate", "data": {"include": {"fold": "score"}},
        "rows": {"source only": {"from": "source"}, "feature": {"from": "feature"}},
    },
    "average": {"kind": "average", "evaluations": {"a": {"from": "evaluate-a"}, "b": {"from": "evaluate-b"}}},
}  # fmt: skip


def test_stages_of_a_fold_take_its_values_and_refer_to_one_another() -> None:
    raw = {"seed": 3, "folds": FOLDS, "stages": STAGES}
    made = unfolded(raw)
    assert list(made) == ["seed", "stages"]
    stages = made["stages"]
    assert list(stages) == ["source", "feature-a", "feature-b", "evaluate-a", "evaluate-b", "average"]
    assert stages["source"] == STAGES["source"]
    assert stages["feature-a"] == {
        "kind": "align", "target": {"include": ["b_*"]}, "init": {"from": "source"}
    }  # fmt: skip
    assert stages["evaluate-b"]["data"] == {"include": ["b_*"]}
    assert stages["evaluate-b"]["rows"] == {"source only": {"from": "source"}, "feature": {"from": "feature-b"}}
    assert stages["average"] == STAGES["average"]
    assert raw["stages"] is STAGES
    assert STAGES["feature"]["target"] == {"include": {"fold": "adapt"}}, "the content given is left as it was"


def test_a_stage_that_takes_no_value_is_repeated_if_it_refers_to_one_that_does() -> None:
    stages = {"late": {"list": [{"from": "middle", "output": "x"}]}, "middle": {"init": {"from": "feature"}}, **STAGES}
    made = unfolded({"folds": FOLDS, "stages": stages})["stages"]
    assert list(made)[:4] == ["late-a", "late-b", "middle-a", "middle-b"]
    assert made["late-b"] == {"list": [{"from": "middle-b", "output": "x"}]}


def test_without_folds_nothing_changes() -> None:
    assert unfolded({"stages": STAGES, "folds": {}}) == {"stages": STAGES}


@pytest.mark.parametrize(
    ("folds", "stages", "line"),
    [
        ({"a": ["b_*"]}, STAGES, "folds: expected a mapping of fold names to values by name"),
        ({"a": {}}, STAGES, "folds: expected a mapping"),
        ({"a": {"adapt": 1, "score": 2}, "b": {"adapt": 1}}, STAGES, "folds.b: gives values to adapt, but a to "),
        ({"a.b": {"adapt": 1, "score": 2}}, STAGES, r"folds.a\.b: the name is part of .* letters, digits and _"),
        (FOLDS, {"x": {"split": {"fold": "scores"}}}, r"stages.x: \{fold: scores\}: no such value; did you mean"),
        (FOLDS, {"x": {"split": "val"}}, r"folds: no stage takes a value of them; write `\{fold: adapt\}` in one"),
        (FOLDS, {**STAGES, "feature-a": {"kind": "align"}}, "stages.feature-a: is the name of a stage of a fold, too"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(folds: Any, stages: Any, line: str) -> None:
    with pytest.raises(ConfigError, match=line) as raised:
        unfolded({"folds": folds, "stages": stages})
    assert "\n" not in str(raised.value)
