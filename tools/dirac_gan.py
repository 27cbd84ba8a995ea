"""Which adversarial objectives find the truth where everything else is as simple as can be: the Dirac-GAN.

The truth is the point 0, the generator is a point theta, the discriminator a line psi * x (+ 1/2 for least squares, so
that psi = 0 cannot tell). Both players descend the library's own losses at once; the only equilibrium is (0, 0).

Run:  python tools/dirac_gan.py [--figure dirac_gan.png] [--steps 1000] [--rate 0.1]

Source: Mescheder et al. 2018 (Which Training Methods for GANs do actually Converge?), sections 2 and 3.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from segda.losses import adversarial
from segda.losses.adversarial import AdversarialLoss

START = (1.0, 1.0)
STEPS = 1000
RATE = 0.1
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


def play(game: Game, steps: int = STEPS, rate: float = RATE, start: tuple[float, float] = START) -> Tensor:
    """The path of both players under simultaneous gradient descent.

    Args:
        game: the objective.
        steps: updates of each player.
        rate: learning rate of both.
        start: the first theta and psi.

    Returns:
        float64 `[steps + 1, 2]`: theta and psi.
    """
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
    if game.r1:
        loss = loss + game.r1 * adversarial.zero_centred_penalty(line, real)
    if game.r2:
        loss = loss + game.r2 * adversarial.zero_centred_penalty(line, fake)
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


def table(paths: dict[str, Tensor]) -> str:
    """A line an objective: the generator's final distance, its farthest in the last tenth, the verdict."""
    lines = [f"{'objective':<22}{'final |theta|':>14}{'farthest, last 10 %':>22}  verdict"]
    lines += [
        f"{name:<22}{abs(path[-1, 0].item()):>14.4f}{farthest(path):>22.4f}  {verdict(path)}"
        for name, path in paths.items()
    ]
    return "\n".join(lines)


def draw(paths: dict[str, Tensor], file: Path) -> None:
    """The paths in the plane of theta and psi, a panel an objective."""
    columns = 4
    rows = -(-len(paths) // columns)
    figure = Figure(figsize=(3 * columns, 3 * rows), layout="tight")
    for number, (name, path) in enumerate(paths.items(), 1):
        panel = figure.add_subplot(rows, columns, number)
        panel.plot(path[:, 0], path[:, 1], linewidth=0.8)
        for point, style, colour in ((path[0], "o", "grey"), (path[-1], "s", "black"), ((0.0, 0.0), "+", "red")):
            panel.plot(*point, style, color=colour, markersize=10 if style == "+" else 4)
        panel.set_title(f"{name}: {verdict(path)}", fontsize=9)
        panel.set_xlabel("generator theta", fontsize=8)
        panel.set_ylabel("discriminator psi", fontsize=8)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Play all games, print the table, draw the figure if one is asked for."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--figure", type=Path, help="a picture of the paths, .png, .svg or .pdf")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate of both players")
    args = parser.parse_args()
    paths = {name: play(game, args.steps, args.rate) for name, game in GAMES.items()}
    print(table(paths))
    if args.figure:
        draw(paths, args.figure)


if __name__ == "__main__":
    main()
