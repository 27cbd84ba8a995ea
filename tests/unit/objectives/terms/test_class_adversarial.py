import math
from typing import Any

import pytest
import torch
from torch import Tensor

from segda.errors import ConfigError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.objectives.terms.class_adversarial import ClassAdversarial


class Pass:
    """One image of one position, predicted as the first of two classes; D finds all four outputs as likely."""

    def __init__(self, semantic: bool = True) -> None:
        self.semantic = torch.zeros(1, 4, 1, 1) if semantic else None

    def once(self, name: Any, compute: Any) -> Any:
        return compute()

    def z(self, domain: str) -> Tensor:
        return torch.zeros(1, 3, 1, 1)

    def logits(self, domain: str) -> Tensor:
        return torch.tensor([1.8 * math.log(19), 0.0]).reshape(1, 2, 1, 1)

    def discriminate(self, name: str, key: str, x: Tensor) -> DiscriminatorOutput:
        assert name == "class_feature"
        return DiscriminatorOutput(torch.zeros(1, 1, 1, 1), self.semantic)


def test_predictions_are_softened_and_bounded() -> None:
    # softmax(log 19, 0) = (0.95, 0.05), the first bounded by 0.9; each output has probability 1/4.
    assert ClassAdversarial(1.0).generator(Pass()).item() == pytest.approx(0.95 * math.log(4))  # type: ignore[arg-type]
    assert ClassAdversarial(1.0, most=1.0).discriminator(Pass()).item() == pytest.approx(math.log(4))  # type: ignore[arg-type]


def test_which_output_is_asked_for() -> None:
    p, term = Pass(), ClassAdversarial(1.0)
    p.semantic = torch.tensor([9.0, 0.0, 0.0, 0.0]).reshape(1, 4, 1, 1)  # "the first class, as source"
    sure, wrong = 0.05 * 9, 0.95 * 9
    assert term.generator(p).item() == pytest.approx(sure, abs=1e-3)  # type: ignore[arg-type]
    assert term.discriminator(p).item() == pytest.approx((sure + wrong) / 2, abs=1e-3)  # type: ignore[arg-type]


def test_a_discriminator_without_classes_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"discriminators\.class_feature gives no classes; choose `name"):
        ClassAdversarial(1.0).generator(Pass(semantic=False))  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": math.inf}, {"most": 0.0}, {"most": 1.1}])
def test_options_out_of_range_are_named(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"terms\.class_adversarial\.{next(iter(options))}"):
        ClassAdversarial(1.0, **options)
