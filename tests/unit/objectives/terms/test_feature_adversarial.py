from typing import Any

import pytest
import torch
from torch.nn import functional

from segda.objectives.objective import Objective, build


def losses(terms: dict[str, Any], networks: Any, task: Any, batch: Any, progress: float = 0.5) -> Any:
    objective = Objective(build(terms), networks, task, seed=0)
    p = objective.forward(batch, progress)
    return p, objective.generator_losses(p), objective.discriminator_losses(p)


@pytest.mark.parametrize(
    ("at", "needs"),
    [
        ("features", {"encoder", "discriminator.feature"}),
        ("logits", {"encoder", "head", "discriminator.logits"}),
        ("entropy", {"encoder", "head", "discriminator.logits"}),
    ],
)
def test_needs_follow_what_is_judged(at: str, needs: set[str]) -> None:
    assert build({"feature_adversarial": {"weight": 1.0, "at": at}})["feature_adversarial"].needs() == needs


@pytest.mark.parametrize("at", ["logits", "entropy"])
def test_predictions_are_judged_as_probabilities_or_their_entropy(
    at: str, stand_in: Any, task: Any, batch_of: Any
) -> None:
    networks, batch = stand_in(), batch_of()
    # classification shares the logits with this term and must not see them changed
    terms = {"feature_adversarial": {"weight": 1.0, "at": at}, "classification": {"weight": 1.0}}
    p, generator, _ = losses(terms, networks, task, batch)
    probability = p.logits("target").softmax(1)
    seen = probability if at == "logits" else -probability * probability.log() / torch.tensor(4.0).log()
    score = networks.modules["discriminator.logits"](seen).realness
    torch.testing.assert_close(generator["feature_adversarial"], (score - 1).square().mean())
    torch.testing.assert_close(
        generator["classification"], task.supervised_loss(networks.modules["head"](p.z("source")), p.label())
    )


def test_fooling_both_inverts_the_domains(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    p, generator, _ = losses({"feature_adversarial": {"weight": 1.0, "fool": "both"}}, networks, task, batch_of())
    judge = networks.modules["discriminator.feature"]
    s, t = judge(p.z("source")).realness, judge(p.z("target")).realness
    expected = (functional.mse_loss(s, torch.zeros_like(s)) + functional.mse_loss(t, torch.ones_like(t))) / 2
    torch.testing.assert_close(generator["feature_adversarial"], expected)


def test_reversal_has_one_loss_whose_value_does_not_depend_on_strength(
    stand_in: Any, task: Any, batch_of: Any
) -> None:
    def value(progress: float) -> float:
        term = {"weight": 1.0, "update": "reversal", "strength": "dann", "loss": "bce"}
        _, generator, discriminator = losses(
            {"feature_adversarial": term}, stand_in(), task, batch_of(), progress
        )
        assert discriminator == {}
        return generator["feature_adversarial"].item()

    assert value(0.0) == pytest.approx(value(0.9))
