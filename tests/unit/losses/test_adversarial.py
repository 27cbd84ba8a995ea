import math
from typing import Any, get_args

import pytest
import torch

from segda.losses import adversarial

REAL = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
FAMILIES = get_args(adversarial.AdversarialLoss)
FAKE = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize("loss", FAMILIES)
def test_each_side_pulls_scores_its_own_way(loss: adversarial.AdversarialLoss) -> None:
    real, fake = torch.tensor([0.3], requires_grad=True), torch.tensor([0.3], requires_grad=True)
    adversarial.discriminator(real, fake, loss).backward()
    assert real.grad.item() < 0 < fake.grad.item()
    fake = torch.tensor([0.3], requires_grad=True)
    adversarial.generator(fake, loss).backward()
    assert fake.grad.item() < 0


def test_bce_stays_finite_where_sigmoid_saturates() -> None:
    score = torch.tensor([-200.0, 200.0], requires_grad=True)
    adversarial.generator(score, "bce").backward()
    assert score.grad.tolist() == pytest.approx([-0.5, 0.0])


@pytest.mark.parametrize("loss", ["bce", "lsgan"])
def test_confusion_is_symmetric_and_least_in_the_middle(loss: adversarial.AdversarialLoss) -> None:
    middle = torch.full((2, 1), 0.5 if loss == "lsgan" else 0.0)
    least = adversarial.confusion(middle, middle, loss)
    assert least < adversarial.confusion(middle + 0.3, middle, loss)
    assert least < adversarial.confusion(middle, middle - 0.3, loss)
    torch.testing.assert_close(
        adversarial.confusion(middle + 0.3, middle, loss), adversarial.confusion(middle, middle + 0.3, loss)
    )


@pytest.mark.parametrize("loss", ["minimax", "bce", "lsgan", "hinge"])
def test_accuracy_is_1_when_right_0_when_wrong_and_half_by_chance(
    loss: adversarial.AdversarialLoss,
) -> None:
    high, low = torch.full((3,), 5.0), torch.full((3,), -5.0)
    assert adversarial.accuracy(high, low, loss) == 1
    assert adversarial.accuracy(low, high, loss) == 0
    assert adversarial.accuracy(high, high, loss) == 0.5


@pytest.mark.parametrize(("loss", "middle"), [("minimax", 0), ("bce", 0), ("lsgan", 0.5), ("hinge", 0)])
def test_advantage_is_0_by_chance_near_1_when_right_and_below_0_when_certain_and_wrong(
    loss: Any, middle: float
) -> None:
    def at(real: float, fake: float) -> float:
        return adversarial.advantage(torch.full((3, 1), float(real)), torch.full((2, 1), float(fake)), loss).item()

    assert at(middle, middle) == 0
    assert at(9 if loss != "lsgan" else 1, -9 if loss != "lsgan" else 0) == pytest.approx(1, abs=0.01)
    assert at(9, 9) < -1, "the same score for all"


@pytest.mark.parametrize("slope", [0.0, 1.0, 3.0])
def test_penalty_of_a_linear_critic_is_its_slopes_distance_from_1(slope: float) -> None:
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    direction = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    direction = (direction / direction.norm()).requires_grad_()

    def critic(x: torch.Tensor) -> torch.Tensor:
        return slope * (x * direction).sum(dim=(1, 2, 3))

    penalty = adversarial.gradient_penalty(critic, images, -images, torch.rand(2))
    assert penalty.item() == pytest.approx((slope - 1) ** 2, abs=1e-5)
    penalty.backward()
    assert torch.isfinite(direction.grad).all()


def test_penalty_does_not_depend_on_how_many_patches_repeat_a_score() -> None:
    real, fake, mixing = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4), torch.rand(2)

    def scores(x: torch.Tensor) -> torch.Tensor:
        return x.square().sum(dim=(1, 2, 3)).view(2, 1, 1, 1)

    once = adversarial.gradient_penalty(scores, real, fake, mixing)
    repeated = adversarial.gradient_penalty(lambda x: scores(x).expand(2, 1, 5, 5), real, fake, mixing)
    torch.testing.assert_close(once, repeated)


def test_penalty_sends_no_gradient_to_the_images() -> None:
    real, fake = torch.rand(2, 1, 4, 4, requires_grad=True), torch.rand(2, 1, 4, 4, requires_grad=True)
    factor = torch.tensor(2.0, requires_grad=True)
    adversarial.gradient_penalty(lambda x: factor * x.square(), real, fake, torch.rand(2)).backward()
    assert real.grad is None
    assert fake.grad is None
    assert factor.grad.abs() > 0


def test_minimax_gradient_vanishes_where_the_generator_fails_and_that_of_bce_does_not() -> None:
    def slope(loss: adversarial.AdversarialLoss) -> float:
        score = torch.tensor([-20.0], requires_grad=True)
        adversarial.generator(score, loss).backward()
        return score.grad.item()

    assert -1e-6 < slope("minimax") < 0
    assert slope("bce") == pytest.approx(-1)


@pytest.mark.parametrize("loss", FAMILIES)
def test_real_as_fake_pulls_real_scores_down_as_far_as_generator_pulls_fakes_up(
    loss: adversarial.AdversarialLoss,
) -> None:
    middle = 0.5 if loss == "lsgan" else 0.0
    score = torch.tensor([0.3, -1.0, 2.0])
    torch.testing.assert_close(
        adversarial.real_as_fake(middle + score, loss), adversarial.generator(middle - score, loss)
    )


@pytest.mark.parametrize("loss", ["minimax", "wgan"])
def test_inverted_is_minus_the_discriminators_loss(loss: adversarial.AdversarialLoss) -> None:
    torch.testing.assert_close(adversarial.inverted(REAL, FAKE, loss), -adversarial.discriminator(REAL, FAKE, loss))


@pytest.mark.parametrize("loss", ["bce", "lsgan"])
def test_inverted_is_the_discriminators_loss_with_swapped_domains(loss: adversarial.AdversarialLoss) -> None:
    torch.testing.assert_close(adversarial.inverted(REAL, FAKE, loss), adversarial.discriminator(FAKE, REAL, loss))


@pytest.mark.parametrize("loss", FAMILIES)
def test_weights_are_factors_of_each_score_and_1_changes_nothing(loss: adversarial.AdversarialLoss) -> None:
    one, only_second = torch.ones_like(REAL), torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    for side in (adversarial.as_real, adversarial.as_fake, adversarial.generator, adversarial.real_as_fake):
        torch.testing.assert_close(side(REAL, loss, one), side(REAL, loss))
        torch.testing.assert_close(side(REAL, loss, only_second), side(REAL[1:], loss))


def test_uniform_cross_entropy_by_hand_and_as_confusion_for_bce() -> None:
    loss = adversarial.uniform_cross_entropy(REAL, FAKE)
    q = torch.cat([REAL, FAKE]).sigmoid()
    torch.testing.assert_close(loss, -(0.5 * q.log() + 0.5 * (1 - q).log()).mean())
    torch.testing.assert_close(loss, adversarial.confusion(REAL, FAKE, "bce"))
    undecided = torch.zeros(3, 1)
    assert adversarial.uniform_cross_entropy(undecided, undecided).item() == pytest.approx(math.log(2))


def test_uniform_cross_entropy_counts_both_domains_equally_whatever_their_sizes() -> None:
    few, many = torch.tensor([3.0]), torch.zeros(9)
    expected = ((softplus(3) + softplus(-3)) / 2 + math.log(2)) / 2
    assert adversarial.uniform_cross_entropy(few, many).item() == pytest.approx(expected)


def test_zero_centred_penalty_sums_over_pixels_and_averages_over_patches() -> None:
    # The critic sum x^2 / 2 has gradient x: half of the mean of 4 * 1 and 4 * 9.
    samples = torch.stack([torch.full((1, 2, 2), 1.0), torch.full((1, 2, 2), 3.0)])

    def scores(x: torch.Tensor) -> torch.Tensor:
        return (x.square().sum(dim=(1, 2, 3)) / 2).view(2, 1, 1, 1).expand(2, 1, 3, 3)

    assert adversarial.zero_centred_penalty(scores, samples).item() == pytest.approx((4 + 36) / 2 / 2)


def test_zero_centred_penalty_trains_the_critic_and_not_the_samples() -> None:
    factor = torch.tensor(2.0, requires_grad=True)
    samples = torch.tensor([[1.0], [-2.0]], requires_grad=True)
    adversarial.zero_centred_penalty(lambda x: factor * x, samples).backward()
    assert samples.grad is None
    assert factor.grad.item() == pytest.approx(2.0)  # of factor^2 / 2
