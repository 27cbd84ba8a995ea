from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.losses import discrepancy
from segda.objectives.objective import Objective, build


def test_every_position_of_both_maps_of_probabilities_is_a_sample(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = build({"feature_discrepancy": {"weight": 0.5, "loss": "coral", "at": "probabilities"}})
    objective = Objective(terms, stand_in(), task, seed=0)
    p = objective.forward(batch_of(), 0.5)
    s, t = (p.logits(domain).softmax(1).permute(0, 2, 3, 1).reshape(-1, 4) for domain in ("source", "target"))
    torch.testing.assert_close(objective.generator_losses(p)["feature_discrepancy"], 0.5 * discrepancy.coral(s, t))


def test_linear_time_estimates_mmd_only(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = build({"feature_discrepancy": {"weight": 1.0, "loss": "mmd", "linear_time": True}})
    objective = Objective(terms, stand_in(), task, seed=0)
    p = objective.forward(batch_of(), 0.5)
    s, t = (p.z(domain).permute(0, 2, 3, 1).reshape(-1, 5) for domain in ("source", "target"))
    torch.testing.assert_close(objective.generator_losses(p)["feature_discrepancy"], discrepancy.linear_time_mmd(s, t))
    with pytest.raises(ConfigError, match="feature_discrepancy.linear_time: loss 'coral' has no such estimate"):
        build({"feature_discrepancy": {"weight": 1.0, "loss": "coral", "linear_time": True}})


@pytest.mark.parametrize("loss", ["coral", "mmd", "linear_mmd"])
def test_one_sample_has_a_mean_and_no_other_statistics(loss: str, task: Any, batch_of: Any) -> None:
    term = build({"feature_discrepancy": {"weight": 1.0, "loss": loss}})["feature_discrepancy"]

    class Pass:
        def z(self, domain: str) -> torch.Tensor:
            return torch.ones(1, 5, 1, 1)

        def whole_batch(self, samples: torch.Tensor) -> torch.Tensor:
            return samples

    if loss == "linear_mmd":
        assert term.generator(Pass()) == 0
    else:
        with pytest.raises(ConfigError, match=f"{loss} is a statistic.*found 1 source sample.*expected at least 2"):
            term.generator(Pass())
