"""Which networks receive gradients from each term, as its file says."""

from typing import Any

import pytest
import torch

from segda.objectives.objective import Objective
from tests.equivalence import setting

PLAIN = {"weight": 1.0}


def receivers(terms: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Networks with a gradient that is not zero: by the generators' losses, and by the discriminators'."""
    config = {"tied": False, "terms": terms}
    # The full set of networks, so that a gradient that should not be there has somewhere to go.
    everything = {"tied": False, "terms": {
        "classification": PLAIN, "identity": PLAIN, "feature_adversarial": PLAIN, "semantic_discrimination": PLAIN,
        **terms,
    }}  # fmt: skip
    objective = setting.objective_of(config, setting.networks(everything, seed=1))
    p = objective.forward(setting.batch(), setting.PROGRESS)
    torch.stack(list(objective.generator_losses(p).values())).sum().backward()
    generators = networks_with_gradients(objective)
    losses = list(objective.discriminator_losses(p).values())
    if losses:
        torch.stack(losses).sum().backward()
    return generators, networks_with_gradients(objective)


def networks_with_gradients(objective: Objective) -> set[str]:
    """Names of the networks with a gradient; decoders by tail. Clears the gradients."""
    names = set()
    for name, module in objective.networks.modules.items():
        for key, parameter in module.named_parameters():
            if parameter.grad is not None and parameter.grad.abs().sum() > 0:
                tail = next((domain for domain in ("source", "target") if name == "decoder" and domain in key), None)
                names.add(f"{name}.{tail}" if tail else name)
        module.zero_grad(set_to_none=True)
    return names - {"decoder"}


BOTH = {"decoder.source", "decoder.target"}
IMAGE = {"discriminator.source", "discriminator.target"}


@pytest.mark.parametrize(
    ("terms", "generators", "discriminators"),
    [
        ({"classification": PLAIN}, {"encoder.source", "head"}, set()),
        ({"identity": PLAIN}, {"encoder.source", "encoder.target", *BOTH}, set()),
        ({"identity": {"weight": 1.0, "domains": ["target"]}}, {"encoder.target", "decoder.target"}, set()),
        ({"identity": {"weight": 1.0, "domains": ["target"], "through": "other"}},
         {"encoder.source", "decoder.target"}, set()),
        ({"feature_adversarial": PLAIN}, {"encoder.target"}, {"discriminator.feature"}),
        ({"feature_adversarial": {"weight": 1.0, "fool": "both"}}, {"encoder.source", "encoder.target"},
         {"discriminator.feature"}),
        ({"feature_adversarial": {"weight": 1.0, "fool": "confusion", "loss": "bce"}},
         {"encoder.source", "encoder.target"}, {"discriminator.feature"}),
        ({"feature_adversarial": {"weight": 1.0, "update": "reversal"}},
         {"encoder.target", "discriminator.feature"}, set()),
        ({"feature_adversarial": {"weight": 1.0, "update": "reversal", "fool": "both"}},
         {"encoder.source", "encoder.target", "discriminator.feature"}, set()),
        ({"translation_adversarial": PLAIN}, {"encoder.source", "encoder.target", *BOTH}, IMAGE),
        ({"translation_adversarial": {"weight": 1.0, "loss": "lsgan", "pool": 2}},
         {"encoder.source", "encoder.target", *BOTH}, IMAGE),
        ({"translation_adversarial": {"weight": 1.0, "domains": ["source"]}}, {"encoder.source", "decoder.target"},
         {"discriminator.target"}),
        ({"translation_adversarial": {"weight": 1.0, "domains": ["target"], "loss": "lsgan", "pool": 2}},
         {"encoder.target", "decoder.source"}, {"discriminator.source"}),
        ({"patch_contrast": PLAIN}, {"encoder.source", "decoder.target", "projection"}, set()),
        ({"patch_contrast": {"weight": 1.0, "domains": ["source"], "flip": True}},
         {"encoder.source", "decoder.target", "projection"}, set()),
        ({"cycle": PLAIN}, {"encoder.source", "encoder.target", *BOTH}, set()),
        ({"translated_classification": PLAIN}, {"encoder.target", "head"}, set()),
        ({"translated_classification": {"weight": 1.0, "stop_gradient": False}},
         {"encoder.source", "encoder.target", "head", "decoder.target"}, set()),
        ({"semantic_discrimination": PLAIN}, {"encoder.source", "encoder.target", *BOTH}, IMAGE),
        ({"target_entropy": PLAIN}, {"encoder.target", "head"}, set()),
        ({"self_training": {"weight": 1.0, "jitter": 0.0, "blur": 0.0}}, {"encoder.target", "head"}, set()),
        ({"feature_adversarial": {"weight": 1.0, "loss": "bce", "fool": "uniform"}},
         {"encoder.source", "encoder.target"}, {"discriminator.feature"}),
        ({"conditional_adversarial": PLAIN}, {"encoder.source", "encoder.target", "discriminator.conditional"}, set()),
        ({"conditional_adversarial": {"weight": 1.0, "fool": "target"}},
         {"encoder.target", "discriminator.conditional"}, set()),
        ({"conditional_adversarial": {"weight": 1.0, "detach_predictions": False}},
         {"encoder.source", "encoder.target", "head", "discriminator.conditional"}, set()),
        ({"conditional_adversarial": {"weight": 1.0, "update": "alternating"}},
         {"encoder.source", "encoder.target"}, {"discriminator.conditional"}),
        ({"conditional_adversarial": {"weight": 1.0, "update": "alternating", "fool": "target", "loss": "hinge",
                                      "r1": 1.0, "entropy": True}},
         {"encoder.target"}, {"discriminator.conditional"}),
        ({"feature_discrepancy": {"weight": 1.0, "loss": "coral", "at": "features"}},
         {"encoder.source", "encoder.target"}, set()),
        ({"feature_discrepancy": {"weight": 1.0, "loss": "mmd", "at": "logits"}},
         {"encoder.source", "encoder.target", "head"}, set()),
        ({"latent_divergence": PLAIN}, {"encoder.source", "encoder.target", "posterior"}, set()),
        ({"latent_adversarial": {"weight": 1.0, "loss": "bce"}}, {"encoder.source", "encoder.target"},
         {"discriminator.latent"}),
        ({"semantic_consistency": PLAIN}, {"encoder.source", "encoder.target", *BOTH}, set()),
        ({"class_size": PLAIN}, {"encoder.target", "head"}, set()),
        ({"masked_consistency": {"weight": 1.0, "jitter": 0.0, "blur": 0.0}}, {"encoder.target", "head"}, set()),
        ({"minimum_class_confusion": PLAIN}, {"encoder.target", "head"}, set()),
        ({"distillation": {"weight": 1.0, "jitter": 0.0, "blur": 0.0}}, {"encoder.target", "head"}, set()),
        ({"distillation": {"weight": 1.0, "source": True}}, {"encoder.source", "encoder.target", "head"}, set()),
        ({"class_adversarial": PLAIN}, {"encoder.target"}, {"discriminator.class_feature"}),
        ({"feature_distance": PLAIN}, {"encoder.source"}, set()),
        ({"masked_modelling": PLAIN}, {"encoder.target", "head", "rebuilder"}, set()),
        ({"masked_modelling": {"weight": 1.0, "domains": ["source"]}}, {"encoder.source", "head", "rebuilder"}, set()),
    ],
)  # fmt: skip
def test_gradients_reach_exactly_these(terms: dict[str, Any], generators: set[str], discriminators: set[str]) -> None:
    assert receivers(terms) == (generators, discriminators)


def test_latent_adversary_reaches_a_tied_encoder_through_target_images_only() -> None:
    config = {"tied": True, "terms": {"feature_adversarial": PLAIN}}
    objective = setting.objective_of(config, setting.networks(config))
    samples = setting.batch()
    assert samples.target is not None
    for image in (samples.source.image, samples.target.image):
        image.requires_grad_()
    p = objective.forward(samples, setting.PROGRESS)
    objective.generator_losses(p)["feature_adversarial"].backward()
    objective.discriminator_losses(p)["feature_adversarial"].backward()
    assert samples.source.image.grad is None
    assert samples.target.image.grad is not None


def test_reversal_gives_the_encoder_the_negated_gradient_of_the_discriminators_loss() -> None:
    def step(update: str) -> tuple[dict[str, Any], torch.Tensor]:
        term = {"weight": 1.0, "loss": "bce", "update": update, "fool": "both"}
        config = {"tied": True, "terms": {"feature_adversarial": term}}
        built = setting.networks(config)
        objective = setting.objective_of(config, built)
        p = objective.forward(setting.batch(), setting.PROGRESS)
        if update == "reversal":
            loss = objective.generator_losses(p)["feature_adversarial"]
        else:  # the discriminator's loss, without a detach
            s, t = (built.discriminate("feature", p.z(domain)).realness for domain in ("source", "target"))
            bce = torch.nn.functional.binary_cross_entropy_with_logits
            loss = (bce(s, torch.ones_like(s)) + bce(t, torch.zeros_like(t))) / 2
        loss.backward()
        return setting.gradients_of(built), loss.detach()

    (reversed_, loss), (plain, same) = step("reversal"), step("alternating")
    torch.testing.assert_close(loss, same)
    for name, gradient in reversed_.items():
        sign = -1 if name.startswith("encoder") else 1
        torch.testing.assert_close(gradient, sign * plain[name], rtol=1e-9, atol=1e-12)
    assert sum(float(gradient.abs().sum()) for gradient in plain.values()) > 0


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 0.0), (0.5, 0.9866142981514303)])
def test_dann_schedule_scales_the_reversed_gradient_only(progress: float, factor: float) -> None:
    def gradients(strength: str) -> dict[str, Any]:
        term = {"weight": 1.0, "loss": "bce", "update": "reversal", "fool": "both", "strength": strength}
        config = {"tied": True, "terms": {"feature_adversarial": term}}
        return setting.step(setting.objective_of(config, setting.networks(config)), setting.batch(), progress).gradients

    scheduled, constant = gradients("dann"), gradients("constant")
    for name, gradient in scheduled.items():
        expected = constant[name] * (factor if name.startswith("encoder") else 1)
        torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)


def test_discriminators_are_trainable_again_after_the_generators_losses() -> None:
    config = setting.method("i2i")
    objective = setting.objective_of(config, setting.networks(config))
    objective.generator_losses(objective.forward(setting.batch(), 0.0))
    assert all(q.requires_grad for module in objective.networks.modules.values() for q in module.parameters())
