from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.losses import adversarial
from segda.objectives.objective import Objective, build


class Curved(nn.Module):
    """A discriminator whose gradient is another one at every image."""

    def __init__(self, line: nn.Module) -> None:
        super().__init__()
        self.line = line

    def forward(self, x: Tensor) -> Any:
        verdict = self.line(x)
        return verdict._replace(realness=verdict.realness.square())


def curved(stand_in: Any) -> Any:
    networks = stand_in()
    for domain in ("source", "target"):
        networks.modules[f"discriminator.{domain}"] = Curved(networks.modules[f"discriminator.{domain}"])
    return networks


def losses(options: dict[str, Any], networks: Any, task: Any, batch: Any) -> Any:
    objective = Objective(build({"translation_adversarial": {"weight": 1.0, **options}}), networks, task, seed=0)
    p = objective.forward(batch, 0.5)
    generator = objective.generator_losses(p)["translation_adversarial"]
    return objective, p, generator, objective.discriminator_losses(p)["translation_adversarial"]


@pytest.mark.parametrize(
    ("loss", "fooling", "apart"),
    [
        ("minimax", lambda f: (1 - f.sigmoid()).log().mean(),
         lambda r, f: (-r.sigmoid().log().mean() - (1 - f.sigmoid()).log().mean()) / 2),
        ("bce", lambda f: -f.sigmoid().log().mean(),
         lambda r, f: (-r.sigmoid().log().mean() - (1 - f.sigmoid()).log().mean()) / 2),
        ("lsgan", lambda f: (f - 1).square().mean(), lambda r, f: ((r - 1).square().mean() + f.square().mean()) / 2),
        ("hinge", lambda f: -f.mean(),
         lambda r, f: (functional.relu(1 - r).mean() + functional.relu(1 + f).mean()) / 2),
        ("wgan", lambda f: -f.mean(), lambda r, f: f.mean() - r.mean()),
    ],
)  # fmt: skip
def test_both_sides_by_hand(loss: str, fooling: Any, apart: Any, stand_in: Any, task: Any, batch_of: Any) -> None:
    networks, batch = stand_in(), batch_of()
    _, p, generator, discriminator = losses({"loss": loss}, networks, task, batch)
    expected = [torch.zeros(()), torch.zeros(())]
    for domain, real, other in (("source", batch.source.image, "target"), ("target", batch.target.image, "source")):
        judge = networks.modules[f"discriminator.{domain}"]
        fake = judge(p.translated(other)).realness
        expected[0] = expected[0] + fooling(fake)
        expected[1] = expected[1] + apart(judge(real).realness, fake)
    torch.testing.assert_close(generator, expected[0])
    torch.testing.assert_close(discriminator, expected[1])


@pytest.mark.parametrize(("option", "subject"), [("r1", "real"), ("r2", "fake")])
def test_zero_centred_penalties_are_taken_at_their_own_images(
    option: str, subject: str, stand_in: Any, task: Any, batch_of: Any
) -> None:
    networks, batch = curved(stand_in), batch_of()
    plain = losses({"loss": "bce"}, networks, task, batch)[3]
    _, p, _, penalised = losses({"loss": "bce", option: 6.0}, networks, task, batch)
    expected = plain
    for domain, real, other in (("source", batch.source.image, "target"), ("target", batch.target.image, "source")):
        judge = networks.modules[f"discriminator.{domain}"]
        x = real if subject == "real" else p.translated(other)
        expected = expected + 6.0 * adversarial.zero_centred_penalty(lambda image, d=judge: d(image).realness, x)
    torch.testing.assert_close(penalised, expected)


def test_penalties_of_fakes_are_taken_at_what_the_pool_shows(stand_in: Any, task: Any, batch_of: Any) -> None:
    networks = curved(stand_in)
    options = {"weight": 1.0, "loss": "bce", "pool": 1, "r2": 6.0}
    objective = Objective(build({"translation_adversarial": options}), networks, task, seed=0)
    swapped = False
    for start in range(0, 12, 2):
        p = objective.forward(batch_of(2, start), 0.5)
        objective.generator_losses(p)
        found = objective.discriminator_losses(p)["translation_adversarial"]
        expected = torch.zeros(())
        for domain, other in (("source", "target"), ("target", "source")):
            judge = networks.modules[f"discriminator.{domain}"]
            shown = p.translated_from_pool(other)
            swapped |= not torch.equal(shown, p.translated(other))
            penalty = adversarial.zero_centred_penalty(lambda image, d=judge: d(image).realness, shown)
            plain = adversarial.discriminator(judge(p.image(domain)).realness, judge(shown).realness, "bce")
            expected = expected + plain + 6.0 * penalty
        torch.testing.assert_close(found, expected)
    assert swapped


def test_measures_and_clipping_follow_the_loss(stand_in: Any, task: Any, batch_of: Any) -> None:
    both = ("accuracy", "advantage")
    for loss, names in (("lsgan", both), ("hinge", both), ("wgan", ("distance",)), ("wgan_gp", ("distance",))):
        objective, p, _, _ = losses({"loss": loss}, stand_in(), task, batch_of())
        assert set(objective.measures(p)) == {
            f"translation_adversarial.{domain}_{name}" for domain in ("source", "target") for name in names
        }
    term = build({"translation_adversarial": {"weight": 1.0, "loss": "wgan", "clipping": 0.1}})
    assert term["translation_adversarial"].clip() == 0.1
    assert term["translation_adversarial"].clipped() == {"discriminator.source", "discriminator.target"}
