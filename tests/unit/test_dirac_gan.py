import math
from pathlib import Path

import pytest
import torch

from tools import dirac_gan
from tools.dirac_gan import GAMES, Game, play, verdict


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


def test_table_and_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(dirac_gan, "GAMES", {"hinge": Game("hinge"), "hinge + R1": Game("hinge", r1=1.0)})
    picture = tmp_path / "paths.png"
    monkeypatch.setattr("sys.argv", ["dirac_gan.py", str(picture)])
    dirac_gan.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("hinge ")
    assert lines[1].endswith("circles")
    assert lines[2].endswith("converges")
    assert picture.read_bytes().startswith(b"\x89PNG")
