from typing import Any

import pytest

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build


def test_a_discriminator_that_does_not_segment_is_named(
    stand_in: Any, task: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = stand_in()
    discriminate = networks.discriminate
    monkeypatch.setattr(networks, "discriminate", lambda name, x: discriminate(name, x)._replace(semantic=None))
    objective = Objective(build({"semantic_discrimination": {"weight": 1.0}}), networks, task, seed=0)
    with pytest.raises(ConfigError, match=r"discriminator\.target does not segment"):
        objective.generator_losses(objective.forward(batch_of(), 0.0))


def test_the_discriminators_learn_from_this_steps_translation_even_with_a_pool(
    stand_in: Any, task: Any, batch_of: Any
) -> None:
    def semantic(pool: int) -> list[float]:
        terms = {
            "translation_adversarial": {"weight": 1.0, "loss": "lsgan", "pool": pool},
            "semantic_discrimination": {"weight": 1.0},
        }
        objective = Objective(build(terms), stand_in(), task, seed=0)
        losses = []
        for start in range(0, 12, 2):
            p = objective.forward(batch_of(2, start), 0.0)
            objective.generator_losses(p)
            losses.append(objective.discriminator_losses(p)["semantic_discrimination"].item())
        return losses

    assert semantic(pool=1) == pytest.approx(semantic(pool=0))
