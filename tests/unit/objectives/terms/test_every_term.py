"""Requirements on every file in segda/objectives/terms."""

import inspect

import pytest

from segda.config.lookup import module, names
from segda.networks.networks import NEEDS
from segda.objectives.term import Term

TERMS = names("segda.objectives.terms")


@pytest.mark.parametrize("name", TERMS)
def test_file_opens_with_equation_source_and_routing(name: str) -> None:
    text = module("segda.objectives.terms", name).__doc__ or ""
    for part in ("Equation: ", "Source: ", "**Gradients:** "):
        assert part in text


@pytest.mark.parametrize("name", TERMS)
def test_only_the_weight_has_no_default_and_needs_are_networks_one_can_build(name: str) -> None:
    build = module("segda.objectives.terms", name).build
    assert issubclass(build, Term)
    first, *rest = inspect.signature(build).parameters.values()
    assert first.name == "weight"
    assert first.default is inspect.Parameter.empty
    assert all(parameter.default is not inspect.Parameter.empty for parameter in rest)
    needs = build(weight=1.0).needs()
    assert "encoder" in needs
    assert needs <= NEEDS
