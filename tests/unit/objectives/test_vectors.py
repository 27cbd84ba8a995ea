"""Terms in classification: z and logits of a single position, labels of whole images."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.networks.discriminators import feature
from segda.objectives.objective import Objective, build


class Vector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, self.layer(image).tanh().mean(dim=(2, 3), keepdim=True)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("feature_adversarial", {"loss": "hinge", "r1": 10.0}),
        ("feature_adversarial", {"loss": "wgan_gp", "fool": "both"}),
        ("feature_adversarial", {"loss": "wgan"}),
        ("feature_adversarial", {"loss": "minimax", "fool": "both", "update": "reversal", "strength": "dann"}),
        ("feature_adversarial", {"loss": "bce", "fool": "uniform", "r2": 1.0}),
        ("feature_adversarial", {"loss": "bce", "at": "entropy"}),
        ("conditional_adversarial", {"entropy": True, "strength": "dann"}),
        ("conditional_adversarial", {"update": "alternating", "loss": "wgan_gp", "detach_predictions": False}),
        ("feature_discrepancy", {"loss": "coral"}),
        ("feature_discrepancy", {"loss": "mmd"}),
        ("feature_discrepancy", {"loss": "mmd", "linear_time": True}),
        ("feature_discrepancy", {"loss": "linear_mmd", "at": "probabilities"}),
    ],
)
def test_terms_work_on_vectors(name: str, options: dict[str, Any], stand_in: Any, task: Any, batch_of: Any) -> None:
    networks, batch = stand_in(), batch_of(4)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks.modules["encoder"] = Vector()
        for discriminator, channels in (("feature", 5), ("logits", 4), ("conditional", 20)):
            networks.modules[f"discriminator.{discriminator}"] = feature.build(channels, 4, width=6)
    batch = batch._replace(source=batch.source._replace(label=torch.tensor([0, 1, 2, 3])))
    objective = Objective(build({name: {"weight": 1.0, **options}}), networks, task, seed=0)
    p = objective.forward(batch, 0.5)
    losses = [*objective.generator_losses(p).values(), *objective.discriminator_losses(p).values()]
    torch.stack(losses).sum().backward()
    assert p.z("source").shape == (4, 5, 1, 1)
    gradient = networks.modules["encoder"].layer.weight.grad
    assert torch.isfinite(gradient).all()
    assert gradient.abs().sum() > 0
    assert all(torch.isfinite(value) for value in objective.measures(p).values())
