from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.terms.feature_distance import FeatureDistance
from segda.tasks.segmentation import build as build_task
from tests.equivalence import setting


def forward_pass(**changes: Any) -> Any:
    config = {"tied": True, "terms": {"feature_distance": {"weight": 1.0}}}
    objective = setting.objective_of(config, setting.networks(config))
    for name, value in changes.items():
        setattr(objective, name, value)
    return objective.forward(setting.batch(), 0.0)


def test_the_classes_are_those_named_or_the_things_of_the_label_space() -> None:
    things = FeatureDistance(1.0).generator(forward_pass())
    assert torch.equal(FeatureDistance(1.0, classes=("d", "b")).generator(forward_pass()), things)
    assert not torch.equal(FeatureDistance(1.0, classes=("b",)).generator(forward_pass()), things)


def test_an_encoder_that_has_not_moved_has_no_distance() -> None:
    config = {"tied": True, "terms": {"feature_distance": {"weight": 1.0}}}
    built = setting.networks(config)
    p = forward_pass(networks=built, pretrained=built)
    assert FeatureDistance(1.0).generator(p).item() == 0
    assert FeatureDistance(1.0).measures(p)["positions"].item() > 0


def test_a_batch_without_these_classes_has_no_distance() -> None:
    p = forward_pass()
    p.batch.source.label.fill_(0)
    loss = FeatureDistance(1.0).generator(p)
    assert loss.item() == 0
    assert FeatureDistance(1.0).measures(p)["positions"].item() == 0


def test_a_class_that_is_none_is_named_with_its_key() -> None:
    with pytest.raises(
        ConfigError, match=r"terms\.feature_distance\.classes: 'cat' is no class of label space 'shapes'"
    ):
        FeatureDistance(1.0, classes=("cat",)).generator(forward_pass())


def test_a_label_space_without_things_asks_for_classes() -> None:
    plain = build_task(setting.SPACE.without(set(), "plain"))
    assert plain.space.things
    nothing = build_task(setting.SPACE.without({"b", "d"}, "plain"))
    with pytest.raises(ConfigError, match=r"classes: label space 'plain' says of no class .* list some of a, c"):
        FeatureDistance(1.0).generator(forward_pass(task=nothing))


@pytest.mark.parametrize("share", [0.0, 1.1])
def test_a_share_is_a_share(share: float) -> None:
    with pytest.raises(ConfigError, match=r"terms\.feature_distance\.share"):
        FeatureDistance(1.0, share=share)
