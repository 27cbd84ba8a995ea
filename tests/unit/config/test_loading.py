"""Config rules: merging with the base, file names, settings, paths below the data root."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from segda.config import loading
from segda.errors import ConfigError

KEYS = st.sampled_from("abcd")
PLAIN = st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=3))
MAPPINGS = st.dictionaries(KEYS, PLAIN, max_size=4)
steadily = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@steadily
@given(MAPPINGS, MAPPINGS)
def test_merge_keeps_all_of_above_and_the_rest_of_below(below: dict[str, Any], above: dict[str, Any]) -> None:
    merged = loading.merge(below, above)
    assert merged.keys() == below.keys() | above.keys()
    assert loading.merge(merged, above) == merged
    assert all(merged[name] == below[name] for name in below.keys() - above.keys())
    assert all(merged[name] == value for name, value in above.items() if not isinstance(value, dict))


@steadily
@given(MAPPINGS)
def test_merging_nothing_changes_nothing(content: dict[str, Any]) -> None:
    assert loading.merge(content, {}) == content
    assert loading.merge({}, content) == content


def test_merge_leaves_its_arguments_alone() -> None:
    below: dict[str, Any] = {"a": {"x": 1}}
    loading.merge(below, {"a": {"x": 2, "y": 3}, "b": 1})
    assert below == {"a": {"x": 1}}


def test_null_removes_an_entry_and_stays_where_there_is_none() -> None:
    assert loading.merge({"a": {"x": 1, "y": 2}}, {"a": {"x": None}, "b": None}) == {"a": {"y": 2}, "b": None}


def test_lists_replace() -> None:
    assert loading.merge({"a": [1, 2]}, {"a": [3]}) == {"a": [3]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGDA_DATA", raising=False)
    for name in ("pipelines", "data", "methods"):
        (tmp_path / "configs" / name).mkdir(parents=True)
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_a_chain_of_bases_is_merged_from_below(folder: Path) -> None:
    write(folder, "configs/pipelines/a.yaml", "x: {p: 1, q: 1, r: 1}")
    write(folder, "configs/pipelines/b.yaml", "base: a\nx: {q: 2, r: 2}")
    top = write(folder, "c.yaml", "base: b\nx: {r: null}")
    assert loading.load(top, "pipelines") == {"x": {"p": 1, "q": 2}}


def test_a_base_lies_beside_the_file_that_names_it(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder, "sub/near.yaml", "x: 1")
    for base in ("near", "near.yaml"):
        top = write(folder, "sub/top.yaml", f"base: {base}\ny: 2")
        assert loading.load(top, "pipelines") == {"x": 1, "y": 2}


def test_shipped_configs_are_found_from_any_folder(folder: Path) -> None:
    assert loading.find("camvid", "data") == loading.shipped("data") / "camvid.yaml"
    own = write(folder, "configs/data/camvid.yaml", "name: camvid")
    assert loading.find("camvid", "data").resolve() == own


def test_an_unknown_config_gets_the_nearest_name(folder: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'cityscapes'"):
        loading.find("cityscape", "data")


class Set(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Way(BaseModel):
    title: str = ""


class Job(BaseModel):
    data: Set
    other: Set | None = None
    method: Way | None = None
    many: dict[str, Set] = {}
    few: list[Set] = []
    text: str = ""


FOLDERS: dict[type, str] = {Set: "data", Way: "methods"}


def test_names_become_what_their_files_say(folder: Path) -> None:
    write(folder, "configs/data/one.yaml", "name: one\nroot: r\nsplit: train")
    write(folder, "configs/methods/way.yaml", "title: Way")
    raw = {
        "data": "one",
        "other": {"base": "one", "split": "val", "root": None},
        "method": "way",
        "many": {"a": "one", "b": {"name": "two"}},
        "few": ["one"],
        "text": "one",
    }
    one = {"name": "one", "root": "r", "split": "train"}
    assert loading.expand(Job, raw, FOLDERS, "job") == {
        "data": one,
        "other": {"name": "one", "split": "val"},
        "method": {"title": "Way"},
        "many": {"a": one, "b": {"name": "two"}},
        "few": [one],
        "text": "one",
    }


def test_a_data_file_may_be_given_by_path(folder: Path) -> None:
    (folder / "sub").mkdir()
    write(folder, "sub/mine.yaml", "name: folder")
    pipeline = folder / "sub" / "job.yaml"
    assert loading.expand(Job, {"data": "mine.yaml"}, FOLDERS, "job", pipeline) == {"data": {"name": "folder"}}


def test_expansion_errors_say_where(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"job\.data: .*did you mean 'camvid'"):
        loading.expand(Job, {"data": "camvit"}, FOLDERS, "job")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b=3", (["a", "b"], 3)),
        ("a=1e-3", (["a"], 1e-3)),
        ("a=x=y", (["a"], "x=y")),
        ("a=[1, 2]", (["a"], [1, 2])),
        ("a=", (["a"], None)),
        ("a={from: b}", (["a"], {"from": "b"})),
    ],
)
def test_settings_are_yaml(text: str, expected: tuple[list[str], Any]) -> None:
    assert loading.parse_setting(text) == expected


@pytest.mark.parametrize("text", ["a", "=3", "a..b=3", "a=[", ".a=1"])
def test_wrong_settings(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        loading.parse_setting(text)


def test_a_setting_changes_one_entry() -> None:
    content = {"a": {"b": 1, "c": [5, {"d": 6}]}, "e": {7: "x"}}
    assert loading.apply_setting(content, ["a", "b"], 2)["a"] == {"b": 2, "c": [5, {"d": 6}]}
    assert loading.apply_setting(content, ["a", "c", "1", "d"], 9)["a"]["c"] == [5, {"d": 9}]
    assert loading.apply_setting(content, ["a", "new", "x"], 1)["a"]["new"] == {"x": 1}
    assert loading.apply_setting(content, ["a", "b"], None)["a"] == {"c": [5, {"d": 6}]}
    assert loading.apply_setting(content, ["e", "7"], "y")["e"] == {7: "y"}
    assert content == {"a": {"b": 1, "c": [5, {"d": 6}]}, "e": {7: "x"}}


def test_a_setting_through_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no entries to set"):
        loading.apply_setting({"a": 3}, ["a", "b"], 1)


def test_relative_places_lie_below_the_data_root(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert loading.data_path("gta5") == folder / "gta5"
    assert "set SEGDA_DATA" in loading.missing(loading.data_path("gta5"))
    monkeypatch.setenv("SEGDA_DATA", "/data")
    assert loading.data_path("gta5") == Path("/data/gta5")
    assert loading.data_path("/other/gta5") == Path("/other/gta5")
    assert "check the path" in loading.missing(loading.data_path("gta5"))


def test_weights_files_are_placed_and_published_names_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDA_DATA", "/data")
    rest = {"head": [{"weights": "imagenet"}, {"weights": None}], "text": "a/b.pth"}
    placed = loading.place_weights({"encoder": {"weights": "w/x.pth"}, **rest})
    assert placed == {"encoder": {"weights": "/data/w/x.pth"}, **rest}
    assert loading.weights_files(placed) == [Path("/data/w/x.pth")]
