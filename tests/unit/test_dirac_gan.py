"""Which adversarial losses find the truth where everything else is as simple as can be: the Dirac-GAN.

The truth is the point 0, the generator is a point theta, the discriminator a line psi * x (+ 1/2 for least squares, so
that psi = 0 cannot tell). Both players descend the library's own losses at once; the only equilibrium is (0, 0).

Source: Mescheder et al. 2018 (Which Training Methods for GANs do actually Converge?), sections 2 and 3.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from segda.losses import adversarial
from segda.losses.adversarial import AdversarialLoss

# Distance from the equilibrium below which a run counts as converged, as a share of the distance at its start.
CLOSE = 0.01


@dataclass(frozen=True)
class Game:
    """An objective: its loss, gamma of R1 and R2, weight of WGAN-GP's gradient penalty, bound of psi for WGAN."""

    loss: AdversarialLoss
    r1: float = 0.0
    r2: float = 0.0
    penalty: float = 0.0
    clip: float | None = None


# Clipping at 1 leaves psi room to turn: at 0.01 the same circle is only smaller, and takes longer.
GAMES: dict[str, Game] = {
    "minimax": Game("minimax"),
    "non-saturating": Game("bce"),
    "least squares": Game("lsgan"),
    "hinge": Game("hinge"),
    "WGAN, clipped": Game("wgan", clip=1.0),
    "WGAN-GP": Game("wgan", penalty=0.3),
    "minimax + R1": Game("minimax", r1=1.0),
    "non-saturating + R1": Game("bce", r1=1.0),
    "non-saturating + R2": Game("bce", r2=1.0),
    "least squares + R1": Game("lsgan", r1=1.0),
    "hinge + R1": Game("hinge", r1=1.0),
    "WGAN + R1": Game("wgan", r1=1.0),
}


def play(game: Game, steps: int = 1000, rate: float = 0.1, start: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """The path of both players under simultaneous gradient descent: theta and psi, float64 `[steps + 1, 2]`."""
    theta, psi = (torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in start)
    middle = 0.5 if game.loss == "lsgan" else 0.0

    def line(x: Tensor) -> Tensor:
        return psi * x + middle

    path = [start]
    for _ in range(steps):
        (move,) = torch.autograd.grad(adversarial.generator(line(theta), game.loss), theta)
        (turn,) = torch.autograd.grad(_discriminator(game, theta.detach(), line), psi)
        with torch.no_grad():
            theta -= rate * move
            psi -= rate * turn
            if game.clip is not None:
                psi.clamp_(-game.clip, game.clip)
        path.append((theta.item(), psi.item()))
    return torch.tensor(path, dtype=torch.float64)


def _discriminator(game: Game, fake: Tensor, line: Callable[[Tensor], Tensor]) -> Tensor:
    real = torch.zeros_like(fake)
    loss = adversarial.discriminator(line(real), line(fake), game.loss)
    if game.penalty:
        between = torch.full((1,), 0.5, dtype=real.dtype)  # a line has one slope everywhere
        loss = loss + game.penalty * adversarial.gradient_penalty(line, real, fake, between)
    for weight, x in ((game.r1, real), (game.r2, fake)):
        if weight:
            loss = loss + weight * adversarial.zero_centred_penalty(line, x)
    return loss


def farthest(path: Tensor) -> float:
    """The generator's largest distance from the truth over the last tenth of a path: a circle passes 0, too."""
    return path[-(len(path) // 10 + 1) :, 0].abs().max().item()


def verdict(path: Tensor) -> str:
    """`converges`, `circles` (comes no nearer in the end) or `approaches` (nearer, but not there yet)."""
    if farthest(path) < CLOSE * path[0].norm():
        return "converges"
    half = len(path) // 2
    return "circles" if farthest(path) > 0.5 * farthest(path[:half]) else "approaches"


@pytest.mark.parametrize("name", ["minimax", "non-saturating", "least squares", "hinge", "WGAN, clipped", "WGAN-GP"])
def test_without_a_zero_centred_penalty_the_players_do_not_arrive(name: str) -> None:
    assert verdict(play(GAMES[name], steps=500)) != "converges"


@pytest.mark.parametrize("name", [name for name in GAMES if name.endswith(("R1", "R2"))])
def test_with_a_zero_centred_penalty_they_do(name: str) -> None:
    path = play(GAMES[name], steps=500)
    assert verdict(path) == "converges"
    assert path[-1].norm() < 0.01


def test_one_step_by_hand() -> None:
    # The generator descends -psi theta, the discriminator psi theta; R1, gamma / 2 * psi^2, adds the slope gamma psi.
    for gamma in (0.0, 3.0):
        path = play(Game("wgan", r1=gamma), steps=1, rate=0.1, start=(2.0, 0.5))
        assert path[1].tolist() == [pytest.approx(2.0 + 0.1 * 0.5), pytest.approx(0.5 - 0.1 * (2.0 + gamma * 0.5))]


def test_simultaneous_steps_of_wgan_spiral_outwards_as_computed() -> None:
    path = play(Game("wgan"), steps=50, rate=0.1)
    assert path[-1].norm().item() == pytest.approx(math.sqrt(2) * (1 + 0.1**2) ** 25)


def test_clipping_holds_the_discriminator() -> None:
    assert play(Game("wgan", clip=0.2), steps=100)[1:, 1].abs().max() <= 0.2


def test_equilibrium_is_left_by_nobody() -> None:
    for name, game in GAMES.items():
        if name != "WGAN-GP":  # its penalty has no gradient for a critic of slope 0
            assert play(game, steps=3, start=(0.0, 0.0)).abs().max() == 0, name


def test_verdicts_of_made_up_paths() -> None:
    steps = torch.arange(200.0)
    circle = torch.stack([torch.cos(steps / 5), torch.sin(steps / 5)], dim=1)
    assert verdict(circle) == "circles"
    assert verdict(circle * torch.exp(-steps / 10)[:, None]) == "converges"
    assert verdict(circle * torch.exp(-steps / 100)[:, None]) == "approaches"
