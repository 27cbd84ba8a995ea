from typing import Any

import pytest
import torch
from torch.nn import functional

from segda.errors import ConfigError
from segda.losses import adversarial
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


def test_reversal_has_one_loss_whose_value_does_not_depend_on_strength(stand_in: Any, task: Any, batch_of: Any) -> None:
    def value(progress: float) -> float:
        term = {"weight": 1.0, "update": "reversal", "strength": "dann", "loss": "bce"}
        _, generator, discriminator = losses({"feature_adversarial": term}, stand_in(), task, batch_of(), progress)
        assert discriminator == {}
        return generator["feature_adversarial"].item()

    assert value(0.0) == pytest.approx(value(0.9))


def test_uniform_moves_both_domains_towards_an_undecided_verdict(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in(tied=False)
    options = {"weight": 1.0, "loss": "bce", "fool": "uniform"}
    p, generator, discriminator = losses({"feature_adversarial": options}, networks, task, batch_of())
    judge = networks.modules["discriminator.feature"]
    s, t = judge(p.z("source")).realness, judge(p.z("target")).realness
    torch.testing.assert_close(generator["feature_adversarial"], adversarial.uniform_verdict(s, t))
    torch.testing.assert_close(discriminator["feature_adversarial"], adversarial.discriminator(s, t, "bce"))
    generator["feature_adversarial"].backward()
    for domain in ("source", "target"):
        assert networks.modules[f"encoder.{domain}"].layer.weight.grad.abs().sum() > 0


def test_minimax_of_both_is_minus_the_domain_classifiers_cross_entropy(stand_in: Any, task: Any, batch_of: Any) -> None:
    options = {"weight": 0.1, "loss": "minimax", "fool": "both"}
    _, generator, discriminator = losses({"feature_adversarial": options}, stand_in(), task, batch_of())
    torch.testing.assert_close(generator["feature_adversarial"], -0.1 * discriminator["feature_adversarial"])


def test_minimax_by_turns_and_by_reversal_give_the_encoder_the_same_gradient(
    stand_in: Any, task: Any, batch_of: Any
) -> None:
    def gradient(update: str) -> torch.Tensor:
        networks = stand_in()
        options = {"weight": 1.0, "loss": "minimax", "fool": "both", "update": update}
        losses({"feature_adversarial": options}, networks, task, batch_of())[1]["feature_adversarial"].backward()
        return networks.modules["encoder"].layer.weight.grad

    torch.testing.assert_close(gradient("alternating"), gradient("reversal"))


@pytest.mark.parametrize("update", ["alternating", "reversal"])
@pytest.mark.parametrize("options", [{"loss": "hinge", "r1": 10.0}, {"loss": "bce", "r2": 1.0}, {"loss": "wgan_gp"}])
def test_penalties_train_the_discriminator_and_leave_the_encoder_alone(
    update: str, options: dict[str, Any], stand_in: Any, task: Any, batch_of: Any
) -> None:
    def gradients(**given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        networks = stand_in()
        term = {"weight": 1.0, "fool": "both", "update": update, **given}
        _, generator, discriminator = losses({"feature_adversarial": term}, networks, task, batch_of())
        sum([*generator.values(), *discriminator.values()]).backward()
        return (
            networks.modules["encoder"].layer.weight.grad,
            networks.modules["discriminator.feature"].judging.weight.grad,
        )

    other = {"loss": options["loss"]} if options["loss"] != "wgan_gp" else {"loss": "wgan_gp", "penalty": 0.0}
    (encoder, judge), (same, plain) = gradients(**options), gradients(**other)
    torch.testing.assert_close(encoder, same)
    assert (judge - plain).abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fool": "uniform"}, "fool 'uniform' asks for probabilities, loss 'lsgan' has none; use 'bce'"),
        ({"fool": "uniform", "loss": "bce", "update": "reversal"}, "fool is 'uniform' under update 'reversal'"),
        ({"fool": "confusion", "update": "reversal"}, "fool is 'confusion' under update 'reversal'"),
        ({"fool": "confusion", "loss": "wgan_gp"}, "fool 'confusion' vanishes under loss 'wgan_gp'"),
        ({"loss": "wgan", "update": "reversal"}, "loss 'wgan' clips a discriminator of its own"),
        ({"strength": "dann"}, "only update 'reversal' has one"),
    ],
)
def test_combinations_without_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"feature_adversarial": {"weight": 1.0, **options}})
    assert message in str(caught.value)
