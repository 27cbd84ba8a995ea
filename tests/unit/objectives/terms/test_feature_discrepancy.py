from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.losses import discrepancy
from segda.objectives.objective import Objective, build


@pytest.mark.parametrize("loss", ["coral", "mmd", "linear_mmd"])
@pytest.mark.parametrize("at", ["features", "logits", "probabilities"])
def test_every_place_of_both_maps_is_a_sample(loss: str, at: str, stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    terms = build({"feature_discrepancy": {"weight": 0.5, "loss": loss, "at": at}})
    objective = Objective(terms, networks, task, seed=0)
    p = objective.forward(batch_of(), 0.5)
    found = objective.generator_losses(p)["feature_discrepancy"]
    assert objective.discriminator_losses(p) == {}
    seen = []
    for domain in ("source", "target"):
        x = p.z(domain) if at == "features" else p.logits(domain)
        x = x.softmax(1) if at == "probabilities" else x
        seen.append(torch.stack([x[b, :, i, j] for b in range(2) for i in range(8) for j in range(10)]))
    torch.testing.assert_close(found, 0.5 * getattr(discrepancy, loss)(*seen))
    found.backward()
    touched = {
        name for name, module in networks.modules.items()
        if any(q.grad is not None and q.grad.abs().sum() > 1e-9 for q in module.parameters())
    }  # fmt: skip
    assert touched == ({"encoder"} if at == "features" else {"encoder", "head"})


def test_linear_time_estimates_mmd_and_belongs_to_nothing_else(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = build({"feature_discrepancy": {"weight": 1.0, "loss": "mmd", "linear_time": True}})
    objective = Objective(terms, stand_in(), task, seed=0)
    p = objective.forward(batch_of(), 0.5)
    s, t = (p.z(domain).permute(0, 2, 3, 1).reshape(-1, 5) for domain in ("source", "target"))
    torch.testing.assert_close(objective.generator_losses(p)["feature_discrepancy"], discrepancy.linear_time_mmd(s, t))
    with pytest.raises(ConfigError, match="feature_discrepancy.linear_time: loss 'coral' has no such form"):
        build({"feature_discrepancy": {"weight": 1.0, "loss": "coral", "linear_time": True}})


def test_both_domains_move(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in(tied=False)
    objective = Objective(build({"feature_discrepancy": {"weight": 1.0}}), networks, task, seed=0)
    objective.generator_losses(objective.forward(batch_of(), 0.0))["feature_discrepancy"].backward()
    for domain in ("source", "target"):
        assert networks.modules[f"encoder.{domain}"].layer.weight.grad.abs().sum() > 0


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


@pytest.mark.parametrize(("at", "needs"), [("features", {"encoder"}), ("logits", {"encoder", "head"})])
def test_needs(at: str, needs: set[str]) -> None:
    assert build({"feature_discrepancy": {"weight": 1.0, "at": at}})["feature_discrepancy"].needs() == needs
