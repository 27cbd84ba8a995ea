"""Validation errors: one line with the path, the value and what is valid."""

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field, PositiveInt
from typing_extensions import Unpack

from segda.config.validation import validate, validate_options
from segda.errors import ConfigError


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(Strict):
    stage: str = Field(alias="from")
    output: str | None = None


class Inner(Strict):
    lr: float = 0.1
    name: Literal["adam", "sgd"] = "adam"


class Outer(Strict):
    steps: PositiveInt
    root: str | Place = "."
    init: Place | None = None
    inner: Inner = Inner()
    crop: tuple[PositiveInt, PositiveInt] | None = None
    many: dict[str, Inner] = {}
    few: list[Inner] = []
    flip: bool = True


@pytest.mark.promise("unknown-keys")
@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "job.steps: missing"),
        ({"steps": "5"}, "job.steps: found '5'; expected a whole number"),
        ({"steps": 5.0}, "job.steps: found 5.0; expected a whole number"),
        ({"steps": True}, "job.steps: found true; expected a whole number"),
        ({"steps": 0}, "job.steps: found 0; expected a number above 0"),
        ({"steps": None}, "job.steps: found null; expected a whole number"),
        ({"steps": 1, "stps": 1}, "job.stps: unknown key; did you mean 'steps'?"),
        ({"steps": 1, "flip": "yes"}, "job.flip: found 'yes'; expected true or false"),
        ({"steps": 1, "flip": 1}, "job.flip: found 1; expected true or false"),
        ({"steps": 1, "inner": {"name": "adan"}}, "did you mean 'adam'?"),
        ({"steps": 1, "inner": {"rl": 1}}, "job.inner.rl: unknown key; did you mean 'lr'?"),
        ({"steps": 1, "inner": 3}, "job.inner: found 3; expected a mapping"),
        ({"steps": 1, "many": {"a": {"rl": 1}}}, "job.many.a.rl: unknown key; did you mean 'lr'?"),
        ({"steps": 1, "few": [{}, {"rl": 1}]}, "job.few.1.rl: unknown key; did you mean 'lr'?"),
        ({"steps": 1, "few": {}}, "job.few: found {}; expected a list"),
        ({"steps": 1, "crop": [1, 2, 3]}, "job.crop: found [1, 2, 3]; expected at most 2 entries"),
        ({"steps": 1, "crop": [1]}, "job.crop.1: missing"),
        ({"steps": 1, "crop": [1, -2]}, "job.crop.1: found -2; expected a number above 0"),
        ({"steps": 1, "root": 5}, "job.root: found 5; expected text or a mapping"),
        ({"steps": 1, "root": {"form": "x"}}, "job.root.form: unknown key; did you mean 'from'?"),
        ({"steps": 1, "root": {"from": "x", "outptu": "y"}}, "job.root.outptu: unknown key; did you mean 'output'?"),
        ({"steps": 1, "init": {"from": 3}}, "job.init.from: found 3; expected text"),
        ([], "job: found []; expected a mapping"),
    ],
)
def test_one_clear_line(raw: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Outer, raw, "job")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_valid_config_keeps_its_values() -> None:
    validated = validate(Outer, {"steps": 3, "root": {"from": "x"}, "crop": [2, 4], "inner": {"lr": 1}}, "job")
    assert (validated.steps, validated.crop, validated.inner.lr) == (3, (2, 4), 1.0)
    assert isinstance(validated.root, Place)


def test_long_values_are_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Outer, {"steps": "x" * 500}, "job")
    assert len(str(caught.value)) < 150


@dataclass(frozen=True)
class Ramp:
    start: float
    end: float = 1.0


@dataclass(frozen=True)
class Term:
    weight: float | Ramp = 1.0
    loss: Literal["l1", "l2"] = "l1"


def build(channels: int, width: int, ids: dict[int, str | None] | None = None, sizes: tuple[int, ...] = ()) -> None:
    """A builder like those of components."""


def test_the_signature_is_the_schema() -> None:
    options = {"width": 3, "ids": {7: "road", 8: None}, "sizes": [1, 2]}
    validated = validate_options(build, options, "job.head", given=("channels",))
    assert validated == {"width": 3, "ids": {7: "road", 8: None}, "sizes": (1, 2)}


def test_defaults_stay_the_builders_own() -> None:
    assert validate_options(build, {"width": 3}, "job.head", given=("channels",)) == {"width": 3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "job.head.width: missing"),
        ({"width": "yes"}, "job.head.width: found 'yes'; expected a whole number"),
        ({"widht": 3, "width": 3}, "job.head.widht: unknown key; did you mean 'width'?"),
        ({"width": 3, "channels": 4}, "job.head.channels: unknown key"),
        ({"width": 3, "ids": {"road": 7}}, "job.head.ids"),
        ({"width": 3, "ids": {7: 8}}, "job.head.ids.7: found 8; expected text"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_options(build, options, "job.head", given=("channels",))
    assert message in str(caught.value)


def test_dataclasses_are_builders_too() -> None:
    assert validate_options(Term, {"weight": {"start": 0}}, "t") == {"weight": Ramp(0.0)}
    assert validate_options(Term, {"weight": 2}, "t") == {"weight": 2.0}
    for options, message in [
        ({"weight": "big"}, "t.weight: found 'big'; expected a number or a mapping"),
        ({"weight": {"start": 0, "ned": 1}}, "t.weight.ned: unknown key; did you mean 'end'?"),
        ({"loss": "l3"}, "t.loss: found 'l3'; expected 'l1' or 'l2'"),
    ]:
        with pytest.raises(ConfigError) as caught:
            validate_options(Term, options, "t")
        assert message in str(caught.value)


class Shared(TypedDict, total=False):
    limit: int | None
    strict: bool


def test_options_by_a_typed_dict_are_part_of_the_schema() -> None:
    def shared_build(width: int = 1, **options: Unpack[Shared]) -> None: ...

    assert validate_options(shared_build, {"limit": 3, "width": 2}, "x") == {"limit": 3, "width": 2}
    for options, message in [
        ({"limit": "3"}, "x.limit: found '3'; expected a whole number"),
        ({"limt": 3}, "x.limt: unknown key; did you mean 'limit'?"),
        ({"strict": True}, "x.strict: unknown key"),
    ]:
        with pytest.raises(ConfigError) as caught:
            validate_options(shared_build, options, "x", given=("strict",))
        assert message in str(caught.value)


def test_a_builder_with_open_options_takes_any() -> None:
    def open_build(width: int = 1, **options: Any) -> None: ...

    assert validate_options(open_build, {"depth": [1, {"a": 2}]}, "x") == {"depth": [1, {"a": 2}]}
