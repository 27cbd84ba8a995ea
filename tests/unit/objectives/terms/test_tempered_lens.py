import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build


class Darker(nn.Module):
    """A lens with one parameter."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, image: Tensor) -> Tensor:
        return self.factor * image


def behind_lenses(stand_in: Any, tied: bool = True) -> Any:
    networks = stand_in(tied=tied)
    networks.modules.update({"lens.source": Darker(0.5), "lens.target": Darker(0.8)})
    networks.lens = lambda image, domain: networks.modules[f"lens.{domain}"](image)
    return networks


def objective_of(networks: Any, task: Any, **options: Any) -> Objective:
    terms = {
        "translation_adversarial": {"weight": 1.0, "loss": "bce", "r1": 10.0},
        "tempered_lens": {"weight": 1.0, **options},
    }
    return Objective(build(terms), networks, task, seed=0)


def test_share_of_the_adversary_falls_from_1_to_0_and_stays_there() -> None:
    lens = build({"tempered_lens": {"weight": 1.0, "over": 0.4}})["tempered_lens"]
    weights = [lens.adversarial_weight(progress) for progress in (0.0, 0.1, 0.2, 0.4, 1.0)]
    assert weights == pytest.approx([1.0, 1 - math.sin(math.pi / 8), 1 - math.sqrt(0.5), 0.0, 0.0])


def test_measures_tell_the_share_and_how_much_each_lens_changes(stand_in: Any, task: Any, batch_of: Any) -> None:
    batch = batch_of()
    objective = objective_of(behind_lenses(stand_in), task, over=1.0)
    p = objective.forward(batch, 1.0)
    objective.generator_losses(p)
    objective.discriminator_losses(p)
    measures = objective.measures(p)
    assert measures["tempered_lens.lambda"].item() == pytest.approx(0.0)
    torch.testing.assert_close(measures["tempered_lens.source_change"], 0.5 * batch.source.image.abs().mean())


@pytest.mark.parametrize("over", [0.0, 1.5])
def test_a_share_outside_is_refused(over: float) -> None:
    with pytest.raises(ConfigError, match=r"tempered_lens\.over: found .*, expected a share of training"):
        build({"tempered_lens": {"weight": 1.0, "over": over}})
