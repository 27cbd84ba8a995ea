from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.terms.masked_modelling import MaskedModelling
from tests.equivalence import setting


def forward_pass(**options: Any) -> Any:
    config = {"tied": True, "terms": {"masked_modelling": {"weight": 1.0, **options}}}
    return setting.objective_of(config, setting.networks(config)).forward(setting.batch(), 0.0)


def masks(**options: Any) -> torch.Tensor:
    """The masks that the rebuilder of one step sees."""
    p, seen = forward_pass(**options), []
    rebuild = p.networks.rebuild

    def spy(features: Any, masked: torch.Tensor) -> Any:
        seen.append(masked)
        return rebuild(features, masked)

    p.networks.rebuild = spy
    MaskedModelling(1.0, **options).generator(p)
    return torch.cat(seen)


def test_each_position_is_masked_with_the_probability_given() -> None:
    few, many = masks(share=0.1), masks(share=0.9)
    assert few.shape == (4, 4, 4)
    assert few.float().mean() < 0.3 < 0.7 < many.float().mean()
    assert not (few & ~many).any(), "the same draws"


def test_the_grid_is_no_finer_than_asked_for() -> None:
    assert masks(grid=2).shape == (4, 2, 2)


def test_both_domains_are_masked_by_draws_of_their_own() -> None:
    both = masks(domains=("source", "target"), threshold=0.05)
    assert both.shape == (8, 4, 4)
    assert not torch.equal(both[:4], both[4:])


def test_source_images_need_no_teacher_and_are_compared_with_their_labels() -> None:
    term = MaskedModelling(1.0, domains=("source",))
    assert "teacher" not in term.needs()
    p = forward_pass(domains=["source"])
    p.batch.source.label.fill_(255)
    assert term.generator(p).item() == 0


def test_a_teacher_that_is_sure_of_nothing_teaches_nothing() -> None:
    assert MaskedModelling(1.0, threshold=0.9999999).generator(forward_pass()).item() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domains": ()}, "domains: empty"), ({"share": 0.0}, "share: found 0.0"), ({"share": 1.0}, "share: found 1.0"),
        ({"grid": 0}, "grid: found 0"), ({"threshold": 1.0}, "threshold: found 1.0"),
    ],
)  # fmt: skip
def test_options_out_of_range_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"terms\.masked_modelling\.{message}"):
        MaskedModelling(1.0, **options)
