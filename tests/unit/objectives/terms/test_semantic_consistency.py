import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.networks.networks import Networks
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.terms.semantic_consistency import SemanticConsistency


class Own(nn.Module):
    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, image]


class Turned(nn.Module):
    """The image with its channels rotated by one, times a parameter that takes gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, features: list[Tensor], domain: str) -> Tensor:
        return self.scale * features[-1].roll(1, dims=1)


class Head(nn.Module):
    """The channels are the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0), requires_grad=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.scale * features[-1]


def forward_pass(batch: Any, task: Any) -> tuple[ForwardPass, Networks, Networks]:
    networks = Networks({"encoder": Own(), "decoder": Turned()}, True)
    judge = Networks({"encoder": Own(), "head": Head()}, True)
    return (
        ForwardPass(
            batch, networks, task, seed=0, progress=0.0, pools={}, gather=lambda x: x, teacher=None, judge=judge
        ),
        networks,
        judge,
    )


def one_pixel(batch_of: Any, label: Tensor | None = None) -> Any:
    """Images of one pixel, as classification's logits are; class 0 in the source, class 1 in the target."""
    batch = batch_of(1)
    source = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    target = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    return batch._replace(
        source=batch.source._replace(image=source, label=label), target=batch.target._replace(image=target)
    )


def test_measures_say_how_much_keeps_its_class(task: Any, batch_of: Any) -> None:
    p, _, _ = forward_pass(one_pixel(batch_of), task)
    term = SemanticConsistency(1.0)
    term.generator(p)
    assert term.measures(p) == {"source_kept": 0.0, "target_kept": 0.0}


def test_true_labels_replace_the_judges_predictions_in_the_source_direction_only(task: Any, batch_of: Any) -> None:
    p, _, _ = forward_pass(one_pixel(batch_of, torch.tensor([[[1]]])), task)
    # The translated source image shows class 1, which is its true label here.
    expected = math.log(2 + math.e) - 1 + math.log(2 + math.e)
    assert SemanticConsistency(1.0, source_labels=True).generator(p).item() == pytest.approx(expected)
