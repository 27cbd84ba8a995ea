"""The options of adversarial terms, on one term with one discriminator (features) and one with two (images)."""

import math
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from segda.errors import ConfigError
from segda.losses import adversarial
from segda.objectives.adversarial_term import AdversaryLoss, Scored
from segda.objectives.objective import build

TERMS = ["feature_adversarial", "translation_adversarial"]
LOSSES = get_args(AdversaryLoss)


def term(name: str, **options: Any) -> Any:
    return build({name: {"weight": 1.0, **options}})[name]


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "lsgan", "r1": -1.0}, "r1: found -1.0, expected a finite number of at least 0"),
        ({"loss": "bce", "r2": math.inf}, "r2: found inf"),
        ({"loss": "lsgan", "penalty": 1.0}, "penalty: loss 'lsgan' has none; drop it, or use loss 'wgan_gp'"),
        ({"loss": "hinge", "clipping": 0.1}, "clipping: loss 'hinge' does not clip; drop it, or use loss 'wgan'"),
        ({"loss": "wgan", "clipping": 0.0}, "clipping: found 0.0, expected a finite number above 0"),
        ({"loss": "wgan_gp", "r1": 1.0}, "r1 1.0 and r2 0.0 pull gradients to 0, loss 'wgan_gp' pulls them to 1"),
        ({"loss": "wasserstein"}, "found 'wasserstein'; expected 'minimax', 'bce', 'lsgan', 'hinge', 'wgan'"),
    ],
)
def test_invalid_options_are_refused_in_one_line(name: str, options: dict[str, Any], message: str) -> None:
    if "inf" in message:  # not possible in YAML, but from code
        with pytest.raises(ConfigError) as caught:
            type(term(name))(weight=1.0, **options)
    else:
        with pytest.raises(ConfigError) as caught:
            term(name, **options)
    assert f"terms.{name}" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TERMS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_term_takes_every_loss(name: str, loss: str) -> None:
    built = term(name, loss=loss)
    discriminators = {need for need in built.needs() if need.startswith("discriminator.")}
    assert built.clipped() == (dict.fromkeys(discriminators, 0.01) if loss == "wgan" else {})


def line(slope: Tensor) -> Any:
    return lambda x: (slope * x).flatten(1).sum(dim=1)


REAL, FAKE = torch.tensor([[[[2.0]]], [[[4.0]]]]), torch.tensor([[[[-1.0]]], [[[0.5]]]])


def loss_of(options: dict[str, Any], slope: Tensor) -> Tensor:
    critic = line(slope)
    return term("feature_adversarial", **options).discriminator_loss(
        Scored(REAL, critic(REAL)), Scored(FAKE, critic(FAKE)), critic, lambda: torch.tensor([0.5, 0.5])
    )


@pytest.mark.parametrize(
    ("options", "added"),
    [
        ({"loss": "hinge"}, 0.0),
        ({"loss": "hinge", "r1": 10.0}, 10 / 2 * 9),
        ({"loss": "bce", "r2": 4.0}, 4 / 2 * 9),
        ({"loss": "minimax", "r1": 1.0, "r2": 2.0}, (1 + 2) / 2 * 9),
        ({"loss": "wgan"}, 0.0),
        ({"loss": "wgan_gp"}, 10 * (3 - 1) ** 2),
        ({"loss": "wgan_gp", "penalty": 2.0}, 2 * (3 - 1) ** 2),
    ],
)
def test_penalties_of_a_line_of_slope_3_by_hand(options: dict[str, Any], added: float) -> None:
    slope = torch.tensor(3.0, requires_grad=True)
    family = "wgan" if options["loss"].startswith("wgan") else options["loss"]
    plain = adversarial.discriminator(line(slope)(REAL), line(slope)(FAKE), family)
    loss = loss_of(options, slope)
    torch.testing.assert_close(loss, plain + added)
    (gradient,) = torch.autograd.grad(loss, slope)
    assert torch.isfinite(gradient)


def test_r1_penalises_at_real_samples_and_r2_at_fakes() -> None:
    def parabola(x: Tensor) -> Tensor:
        return x.flatten(1).square().sum(dim=1) / 2

    def added(**options: Any) -> float:
        played = term("feature_adversarial", loss="hinge", **options)
        plain = term("feature_adversarial", loss="hinge")
        samples = Scored(REAL, parabola(REAL)), Scored(FAKE, parabola(FAKE))
        with_it, without = (
            side.discriminator_loss(*samples, parabola, lambda: torch.zeros(2)) for side in (played, plain)
        )
        return float((with_it - without).detach())

    assert added(r1=2.0) == pytest.approx((4 + 16) / 2)
    assert added(r2=2.0) == pytest.approx((1 + 0.25) / 2)


def test_wgan_gp_refuses_domains_whose_samples_cannot_be_mixed() -> None:
    critic = line(torch.tensor(1.0))
    with pytest.raises(ConfigError, match=r"feature_adversarial.loss: 'wgan_gp' mixes real samples \(2, 1, 1, 1\)"):
        term("feature_adversarial", loss="wgan_gp").discriminator_loss(
            Scored(REAL, critic(REAL)), Scored(FAKE[:1], critic(FAKE[:1])), critic, lambda: torch.zeros(2)
        )


def test_weights_of_samples_reach_both_sides() -> None:
    played = term("feature_adversarial", loss="hinge")
    weight = torch.tensor([1.0, 0.0])
    critic = line(torch.tensor(1.0))
    loss = played.discriminator_loss(
        Scored(REAL, critic(REAL), weight), Scored(FAKE, critic(FAKE), weight), critic, lambda: torch.zeros(2)
    )
    assert loss.item() == pytest.approx(0.0)  # the second fake, with score 0.5, is not counted
    assert played.generator_loss(critic(FAKE), weight).item() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("loss", "names"), [("hinge", ["accuracy", "advantage"]), ("wgan", ["distance"]), ("wgan_gp", ["distance"])]
)
def test_measures_are_named_after_what_they_are(loss: str, names: list[str]) -> None:
    played = term("feature_adversarial", loss=loss)
    assert list(played.measure(torch.ones(1), torch.zeros(1))) == names
    assert list(played.measure(torch.ones(1), torch.zeros(1), "target")) == [f"target_{name}" for name in names]
