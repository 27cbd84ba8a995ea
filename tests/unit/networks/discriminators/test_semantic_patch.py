from typing import Any

import pytest
import torch

from segda.networks.discriminators import patch70, semantic_patch


@pytest.mark.parametrize(("resolution", "size"), [("quarter", (12, 16)), ("full", (50, 66))])
def test_it_scores_as_patch70_and_segments(resolution: Any, size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 50, 66)
    realness, semantic = semantic_patch.build(3, 7, width=4, resolution=resolution)(x)
    assert realness.shape == patch70.build(3, 7, width=4)(x).realness.shape
    assert semantic is not None
    assert semantic.shape == (2, 7, *size)


def test_the_ends_share_the_trunk_and_nothing_else() -> None:
    def reached(end: int) -> set[str]:
        discriminator = semantic_patch.build(3, 7, width=4)
        discriminator(torch.randn(1, 3, 48, 48))[end].square().sum().backward()
        parameters = discriminator.named_parameters()
        return {name.split(".")[0] for name, parameter in parameters if parameter.grad is not None}

    assert reached(0) == {"trunk", "judging"}
    assert reached(1) == {"trunk", "segmenting", "classifier"}


def test_class_logits_lie_over_the_pixels_that_they_classify() -> None:
    """A bright spot changes the logits most at its own position."""
    torch.manual_seed(0)
    discriminator = semantic_patch.build(3, 5, width=8, norm="none").eval()
    plain = torch.zeros(1, 3, 64, 64)
    spot = plain.clone()
    spot[..., 16:24, 40:48] = 1
    with torch.no_grad():
        change = (discriminator(spot).semantic - discriminator(plain).semantic).abs().sum(dim=(0, 1))
    rows = (change.sum(dim=1) * torch.arange(16)).sum() / change.sum()
    columns = (change.sum(dim=0) * torch.arange(16)).sum() / change.sum()
    # The spot's centre is at pixel (19.5, 43.5), that is (4.5, 10.5) in quarters.
    assert abs(float(rows) - 4.5) < 1.5
    assert abs(float(columns) - 10.5) < 1.5
