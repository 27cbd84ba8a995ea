from typing import Any

import pytest
import torch

from segda.errors import ArtefactError, ConfigError, TrainingError
from segda.objectives.objective import Objective, build, check_gradients, needs
from segda.objectives.term import Term
from segda.objectives.weight import Ramp

POOLED = {"translation_adversarial": {"weight": 1.0, "loss": "lsgan", "pool": 3}}


def test_build_reads_options_ramps_and_lists() -> None:
    terms: dict[str, Any] = build(
        {"identity": {"weight": {"ramp": "linear", "to": 1, "over": 0.3}, "domains": ["target"]}}
    )
    assert terms["identity"].weight == Ramp("linear", 1.0, 0.3)
    assert terms["identity"].domains == ("target",)


def test_a_constant_weight_of_0_drops_the_term_and_its_networks() -> None:
    terms = build({"classification": {"weight": 1.0}, "cycle": {"weight": 0.0}})
    assert list(terms) == ["classification"]
    assert needs(terms) == {"encoder", "head"}


def test_a_ramp_from_0_keeps_its_term() -> None:
    assert "cycle" in build({"cycle": {"weight": {"ramp": "linear", "to": 1.0}}})


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"cycl": {"weight": 1.0}}, "'cycl'; did you mean 'cycle'"),
        ({"cycle": {"weight": 1.0, "los": "l1"}}, r"terms\.cycle\.los: unknown key; did you mean 'loss'"),
        ({"cycle": {}}, r"terms\.cycle\.weight: missing"),
        ({"cycle": {"weight": "much"}}, r"terms\.cycle\.weight: found 'much'"),
        ({"cycle": {"weight": -1.0}}, r"terms\.cycle\.weight: found -1.0, expected .* at least 0"),
        ({"cycle": {"weight": {"ramp": "dann", "to": 1.0, "ovr": 1}}}, "ovr: unknown key"),
        ({"cycle": {"weight": 0.0}}, "leave nothing to train"),
        ({}, "leave nothing to train"),
        ({"feature_adversarial": {"weight": 1.0, "loss": "wgn"}}, "found 'wgn'"),
        ({"feature_adversarial": {"weight": 1.0, "update": "reversal", "fool": "confusion"}}, "confusion"),
        ({"feature_adversarial": {"weight": 1.0, "strength": "dann"}}, "strength"),
        ({"identity": {"weight": 1.0, "domains": []}}, r"identity\.domains: empty"),
        ({"latent_adversarial": {"weight": 1.0, "domains": []}}, r"latent_adversarial\.domains: empty"),
        ({"latent_divergence": {"weight": 1.0, "domains": []}}, r"latent_divergence\.domains: empty"),
        ({"translation_adversarial": {"weight": 1.0, "pool": -1}}, r"translation_adversarial\.pool: found -1"),
        ({"self_training": {"weight": 1.0, "ignore_top": 0.6, "ignore_bottom": 0.5}}, "leave some rows"),
    ],
)
def test_build_errors_say_where_and_what(terms: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        build(terms)
    assert "\n" not in str(error.value)


def test_weights_scale_the_generators_side_only(stand_in: Any, task: Any, batch_of: Any) -> None:
    def losses(weight: Any, progress: float) -> tuple[float, float]:
        objective = Objective(build({"feature_adversarial": {"weight": weight}}), stand_in(), task, seed=0)
        p = objective.forward(batch_of(), progress)
        name = "feature_adversarial"
        return objective.generator_losses(p)[name].item(), objective.discriminator_losses(p)[name].item()

    generator, discriminator = losses(1.0, 0.0)
    assert losses(0.25, 0.0) == pytest.approx((generator / 4, discriminator))
    ramp = {"ramp": "linear", "to": 0.5, "over": 0.5}
    assert losses(ramp, 0.0) == pytest.approx((0.0, discriminator))
    assert losses(ramp, 0.25) == pytest.approx((generator / 4, discriminator))


def test_players_split_discriminators_off_and_leave_frozen_networks_out(stand_in: Any, task: Any) -> None:
    networks = stand_in(tied=False)
    networks.modules["encoder.source"].requires_grad_(False)
    objective = Objective(build({"feature_adversarial": {"weight": 1.0}}), networks, task, seed=0)
    discriminators = [f"discriminator.{name}" for name in ("feature", "logits", "source", "target")]
    assert objective.players() == (["decoder", "encoder.target", "head"], discriminators)


def test_parameters_frozen_by_the_user_stay_frozen(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    frozen = networks.modules["discriminator.feature"].scoring.bias.requires_grad_(False)
    objective = Objective(build({"feature_adversarial": {"weight": 1.0}}), networks, task, seed=0)
    objective.generator_losses(objective.forward(batch_of(), 0.0))
    assert not frozen.requires_grad
    assert networks.modules["discriminator.feature"].scoring.weight.requires_grad


def test_an_error_in_a_term_leaves_no_discriminator_frozen(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    objective = Objective(build(POOLED), networks, task, seed=0)
    with pytest.raises(ConfigError):
        objective.generator_losses(objective.forward(batch_of(target=False), 0.0))
    assert all(q.requires_grad for module in networks.modules.values() for q in module.parameters())


def test_pools_are_state_that_goes_on_where_it_stopped(stand_in: Any, task: Any, batch_of: Any) -> None:
    def steps(objective: Objective, starts: range) -> list[float]:
        losses = []
        for start in starts:
            p = objective.forward(batch_of(2, start), 0.0)
            objective.generator_losses(p)
            losses.append(objective.discriminator_losses(p)["translation_adversarial"].item())
        return losses

    whole, first, second = (Objective(build(POOLED), stand_in(), task, seed=0) for _ in range(3))
    expected = steps(whole, range(0, 16, 2))
    begun = steps(first, range(0, 8, 2))
    assert {name: images.shape for name, images in first.state().items()} == {
        "image_pool.source": (3, 3, 8, 10), "image_pool.target": (3, 3, 8, 10),
    }  # fmt: skip
    second.load_state(first.state())
    assert begun + steps(second, range(8, 16, 2)) == expected


def test_state_of_another_method_is_refused(stand_in: Any, task: Any) -> None:
    objective = Objective(build({"cycle": {"weight": 1.0}}), stand_in(), task, seed=0)
    assert objective.state() == {}
    with pytest.raises(ArtefactError, match="image_pool"):
        objective.load_state({"image_pool.source": torch.empty(0)})


def test_a_missing_teacher_is_named_with_its_term(stand_in: Any, task: Any) -> None:
    with pytest.raises(ConfigError, match=r"terms\.self_training: needs 'teacher'"):
        Objective(build({"self_training": {"weight": 1.0}}), stand_in(), task, seed=0)


def test_measures_are_detached_scalars_by_term(stand_in: Any, task: Any, batch_of: Any) -> None:
    objective = Objective(build({"feature_adversarial": {"weight": 1.0}, **POOLED}), stand_in(), task, seed=0)
    p = objective.forward(batch_of(), 0.0)
    objective.generator_losses(p)
    objective.discriminator_losses(p)
    objective.networks.calls.clear()
    measures = objective.measures(p)
    assert sorted(measures) == [
        "feature_adversarial.accuracy", "feature_adversarial.advantage", "translation_adversarial.source_accuracy",
        "translation_adversarial.source_advantage", "translation_adversarial.target_accuracy",
        "translation_adversarial.target_advantage",
    ]  # fmt: skip
    assert all(value.dim() == 0 and not value.requires_grad and value <= 1 for value in measures.values())
    assert all(value >= 0 for name, value in measures.items() if name.endswith("accuracy"))
    assert not objective.networks.calls, "measures only read what the losses computed"


def test_check_gradients_names_the_network_that_never_trains(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    objective = Objective(build({"classification": {"weight": 1.0}}), networks, task, seed=0)
    objective.generator_losses(objective.forward(batch_of(), 0.0))["classification"].backward()
    with pytest.raises(TrainingError, match=r"network 'decoder'.*tails\.source\.weight"):
        check_gradients(networks)
    networks.modules = {name: networks.modules[name] for name in ("encoder", "head")}
    check_gradients(networks)


def test_a_term_must_define_its_loss(stand_in: Any, task: Any, batch_of: Any) -> None:
    objective = Objective({"empty": Term(1.0)}, stand_in(), task, seed=0)
    with pytest.raises(TypeError, match="generator"):
        objective.generator_losses(objective.forward(batch_of(), 0.0))
