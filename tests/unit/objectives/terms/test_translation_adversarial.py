from typing import Any

import torch
from torch import Tensor, nn

from segda.losses import adversarial
from segda.objectives.objective import Objective, build


class Curved(nn.Module):
    """A discriminator whose gradient differs between images."""

    def __init__(self, line: nn.Module) -> None:
        super().__init__()
        self.line = line

    def forward(self, x: Tensor) -> Any:
        output = self.line(x)
        return output._replace(realness=output.realness.square())


def curved(stand_in: Any) -> Any:
    networks = stand_in()
    for domain in ("source", "target"):
        networks.modules[f"discriminator.{domain}"] = Curved(networks.modules[f"discriminator.{domain}"])
    return networks


def test_penalties_are_taken_at_real_images_and_at_fakes_from_the_pool(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = curved(stand_in)
    options = {"weight": 1.0, "loss": "bce", "pool": 1, "r1": 3.0, "r2": 6.0}
    objective = Objective(build({"translation_adversarial": options}), networks, task, seed=0)
    swapped = False
    for start in range(0, 12, 2):
        p = objective.forward(batch_of(2, start), 0.5)
        objective.generator_losses(p)
        loss = objective.discriminator_losses(p)["translation_adversarial"]
        expected = torch.zeros(())
        for domain, other in (("source", "target"), ("target", "source")):
            network = networks.modules[f"discriminator.{domain}"]
            real, fake = p.image(domain), p.translated_from_pool(other)
            swapped |= not torch.equal(fake, p.translated(other))
            expected = expected + adversarial.discriminator(network(real).realness, network(fake).realness, "bce")
            for gamma, images in ((3.0, real), (6.0, fake)):
                penalty = adversarial.zero_centred_penalty(lambda x, d=network: d(x).realness, images)
                expected = expected + gamma * penalty
        torch.testing.assert_close(loss, expected)
    assert swapped
