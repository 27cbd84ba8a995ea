"""Each method's YAML against its loss written by hand, on the same weights: values and every gradient."""

import pytest
import torch

from segda.objectives import objective as objectives
from segda.objectives.objective import check_gradients
from tests.equivalence import (
    hand_written,
    hand_written_contrastive,
    hand_written_feature,
    hand_written_generative,
    hand_written_scales,
    hand_written_self_training,
    hand_written_target,
    setting,
)
from tests.equivalence.hand_written import Hand
from tests.equivalence.setting import Step

MODULES = (
    hand_written, hand_written_contrastive, hand_written_feature, hand_written_generative,
    hand_written_scales, hand_written_self_training, hand_written_target,
)  # fmt: skip
BY_HAND = {name: getattr(module, name) for module in MODULES for name in setting.NAMES if hasattr(module, name)}
# `coral` trains on transformed features, the oracle on target labels, both by the baseline's loss.
BY_HAND |= dict.fromkeys(("coral", "oracle"), hand_written.source_only)


def by_hand(name: str, built: setting.Networks, samples: setting.Batch) -> Step:
    config = setting.method(name)
    needs = objectives.needs(objectives.build(config["terms"]))
    other = setting.teacher_of(built).modules if "teacher" in needs else None
    if "judge" in needs:
        other = setting.judge().modules
    if "feature_distance" in config["terms"]:
        other = {**(other or {}), "pretrained": setting.pretrained(config).modules["encoder"]}
    hand: Hand = BY_HAND[name](built.modules, samples, other)
    gradients: dict[str, torch.Tensor | None] = {
        f"{name}/{key}": None for name in config.get("frozen", []) for key, _ in built.modules[name].named_parameters()
    }
    for loss, names in hand.players:
        for module in set(names) - built.frozen:
            parameters = dict(built.modules[module].named_parameters())
            values = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
            gradients.update({f"{module}/{key}": value for key, value in zip(parameters, values, strict=True)})
    discriminator = None if hand.discriminator is None else hand.discriminator.item()
    return Step(hand.generator.item(), discriminator, gradients)


def compare(name: str) -> None:
    config = setting.method(name)
    built = setting.networks(config)
    samples = setting.batch()
    ours = setting.step(setting.objective_of(config, built), samples)
    setting.assert_same(ours, by_hand(name, built, samples), config.get("frozen", []))


def test_every_method_is_written_by_hand() -> None:
    assert sorted(BY_HAND) == setting.NAMES


@pytest.mark.promise("published-losses")
@pytest.mark.parametrize("name", setting.NAMES)
def test_method_equals_its_hand_written_loss(name: str) -> None:
    compare(name)


@pytest.mark.parametrize("name", setting.NAMES)
def test_every_trainable_parameter_gets_a_gradient(name: str) -> None:
    config = setting.method(name)
    built = setting.networks(config)
    setting.step(setting.objective_of(config, built), setting.batch())
    check_gradients(built)
    generators, discriminators = setting.objective_of(config, built).players()
    assert sorted([*generators, *discriminators, *config.get("frozen", [])]) == sorted(built.modules)


def test_the_teacher_is_confident_at_some_pixels_so_that_comparing_self_training_means_something() -> None:
    config = setting.method("self_training")
    objective = setting.objective_of(config, setting.networks(config))
    p = objective.forward(setting.batch(), setting.PROGRESS)
    objective.generator_losses(p)
    assert 0.02 < objective.measures(p)["self_training.trusted"].item() < 0.98
