"""Which adversarial objectives find the truth where everything else is as simple as can be: the Dirac-GAN.

The truth is the point 0, the generator is a point theta, the discriminator a line psi * x (+ 1/2 for least squares, so
that psi = 0 cannot tell). Both players descend the library's own losses at once; the only equilibrium is (0, 0).

Run:  python tools/dirac_gan.py dirac_gan.png      (or .svg, .pdf)

Source: Mescheder et al. 2018 (Which Training Methods for GANs do actually Converge?), sections 2 and 3.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.figure import Figure
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


def table(paths: dict[str, Tensor]) -> str:
    """A line an objective: the generator's final distance, its farthest in the last tenth, the verdict."""
    lines = [f"{'objective':<22}{'final |theta|':>14}{'farthest, last 10 %':>22}  verdict"]
    for name, path in paths.items():
        lines.append(f"{name:<22}{abs(path[-1, 0].item()):>14.4f}{farthest(path):>22.4f}  {verdict(path)}")
    return "\n".join(lines)


def draw(paths: dict[str, Tensor], file: Path) -> None:
    """The paths in the plane of theta and psi, a panel an objective."""
    rows = -(-len(paths) // 4)
    figure = Figure(figsize=(12, 3 * rows), layout="tight")
    for panel, (name, path) in zip(figure.subplots(rows, 4, squeeze=False).flat, paths.items(), strict=False):
        panel.plot(path[:, 0], path[:, 1], linewidth=0.8)
        for point, style, colour in ((path[0], "o", "grey"), (path[-1], "s", "black"), ((0.0, 0.0), "+", "red")):
            panel.plot(*point, style, color=colour, markersize=10 if style == "+" else 4)
        panel.set_title(f"{name}: {verdict(path)}", fontsize=9)
        panel.set(xlabel="generator theta", ylabel="discriminator psi")
    figure.savefig(file, dpi=110)


def main() -> None:
    """Play all games, print the table and draw the figure."""
    paths = {name: play(game) for name, game in GAMES.items()}
    print(table(paths))
    draw(paths, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
