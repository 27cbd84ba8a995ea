from collections import Counter
from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build

ALL = {
    "classification": {"weight": 1.0},
    "identity": {"weight": 1.0, "through": "other"},
    "feature_adversarial": {"weight": 1.0},
    "translation_adversarial": {"weight": 1.0, "loss": "lsgan"},
    "cycle": {"weight": 1.0, "class_weighted": True},
    "translated_classification": {"weight": 1.0, "stop_gradient": False},
    "semantic_discrimination": {"weight": 1.0},
    "target_entropy": {"weight": 1.0},
}


def step(networks: Any, task: Any, batch: Any, terms: dict[str, Any]) -> Counter[str]:
    objective = Objective(build(terms), networks, task, seed=0)
    p = objective.forward(batch, 0.5)
    objective.generator_losses(p)
    objective.discriminator_losses(p)
    objective.measures(p)
    return networks.calls


def test_everything_at_most_once_and_shared_between_terms(stand_in: Any, task: Any, batch_of: Any) -> None:
    assert step(stand_in(tied=True), task, batch_of(), ALL) == {
        "encode source": 2,  # x_s, and t translated to s
        "encode target": 2,  # x_t, and s translated to t
        "decode source": 3,  # reconstructed s, t to s, cycled s
        "decode target": 3,
        "classify": 3,  # s, translated s, t
        "discriminate feature": 3,  # t; s and t detached
        "discriminate source": 4,  # t to s, cycled s; real s, t to s detached
        "discriminate target": 3,  # s to t; real t, s to t detached
    }


def test_untied_identity_through_the_other_encoder_encodes_again(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = {"identity": {"weight": 1.0, "through": "other"}, "cycle": {"weight": 1.0}}
    calls = step(stand_in(tied=False), task, batch_of(), terms)
    assert calls == {"encode source": 3, "encode target": 3, "decode source": 3, "decode target": 3}


def test_nothing_is_computed_that_no_term_asks_for(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    Objective(build(ALL), networks, task, seed=0).forward(batch_of(), 0.5)
    assert not networks.calls
    calls = step(networks, task, batch_of(target=False), {"classification": {"weight": 1.0}})
    assert calls == {"encode source": 1, "classify": 1}


def test_stop_gradient_and_cycle_encode_the_translation_each_their_way(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = {"cycle": {"weight": 1.0}, "translated_classification": {"weight": 1.0, "stop_gradient": True}}
    assert step(stand_in(), task, batch_of(), terms)["encode target"] == 3


def test_translation_and_cycle_end_in_the_right_domains(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks, batch = stand_in(tied=False), batch_of()
    p = Objective(build(ALL), networks, task, seed=0).forward(batch, 0.5)
    encoder, decoder = networks.modules["encoder.source"], networks.modules["decoder"]
    translated = decoder(encoder(batch.source.image), "target")
    torch.testing.assert_close(p.translated("source"), translated)
    torch.testing.assert_close(p.cycled("source"), decoder(networks.modules["encoder.target"](translated), "source"))


def test_target_terms_without_target_images_are_named(stand_in: Any, task: Any, batch_of: Any) -> None:
    objective = Objective(build({"target_entropy": {"weight": 1.0}}), stand_in(), task, seed=0)
    with pytest.raises(ConfigError, match="no target data"):
        objective.generator_losses(objective.forward(batch_of(target=False), 0.0))


def test_missing_labels_are_named(stand_in: Any, task: Any, batch_of: Any) -> None:
    batch = batch_of()
    batch = batch._replace(source=batch.source._replace(label=None))
    objective = Objective(build({"classification": {"weight": 1.0}}), stand_in(), task, seed=0)
    with pytest.raises(ConfigError, match="no.*labels|has none"):
        objective.generator_losses(objective.forward(batch, 0.0))
