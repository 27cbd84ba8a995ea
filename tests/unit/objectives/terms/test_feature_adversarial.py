from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build


def losses(options: dict[str, Any], networks: Any, task: Any, batch: Any) -> Any:
    objective = Objective(build({"feature_adversarial": {"weight": 1.0, **options}}), networks, task, seed=0)
    p = objective.forward(batch, 0.5)
    return p, objective.generator_losses(p), objective.discriminator_losses(p)


def test_entropy_is_scored_as_each_classs_share_of_it(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = stand_in()
    p, generator, _ = losses({"at": "entropy"}, networks, task, batch_of())
    probability = p.logits("target").softmax(1)
    share = -probability * probability.log() / torch.tensor(4.0).log()
    score = networks.modules["discriminator.logits"](share).realness
    torch.testing.assert_close(generator["feature_adversarial"], (score - 1).square().mean())


@pytest.mark.parametrize("update", ["alternating", "reversal"])
@pytest.mark.parametrize("options", [{"loss": "hinge", "r1": 10.0}, {"loss": "bce", "r2": 1.0}, {"loss": "wgan_gp"}])
def test_penalties_train_the_discriminator_and_leave_the_encoder_alone(
    update: str, options: dict[str, Any], stand_in: Any, task: Any, batch_of: Any
) -> None:
    def gradients(**loss: Any) -> tuple[torch.Tensor, torch.Tensor]:
        networks = stand_in()
        _, generator, discriminator = losses({"fool": "both", "update": update, **loss}, networks, task, batch_of())
        sum([*generator.values(), *discriminator.values()]).backward()
        return (
            networks.modules["encoder"].layer.weight.grad,
            networks.modules["discriminator.feature"].scoring.weight.grad,
        )

    other = {"loss": options["loss"]} if options["loss"] != "wgan_gp" else {"loss": "wgan_gp", "penalty": 0.0}
    (encoder, discriminator), (same, plain) = gradients(**options), gradients(**other)
    torch.testing.assert_close(encoder, same)
    assert (discriminator - plain).abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fool": "uniform"}, "fool 'uniform' needs probabilities, loss 'lsgan' has none; use 'bce'"),
        ({"fool": "uniform", "loss": "bce", "update": "reversal"}, "fool is 'uniform' under update 'reversal'"),
        ({"fool": "confusion", "update": "reversal"}, "fool is 'confusion' under update 'reversal'"),
        ({"fool": "confusion", "loss": "wgan_gp"}, "fool 'confusion' vanishes under loss 'wgan_gp'"),
        ({"loss": "wgan", "update": "reversal"}, "loss 'wgan' clips a discriminator that is updated by itself"),
        ({"strength": "dann"}, "only update 'reversal' takes it"),
    ],
)
def test_invalid_combinations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"feature_adversarial": {"weight": 1.0, **options}})
    assert message in str(caught.value)
