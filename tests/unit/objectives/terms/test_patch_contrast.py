import math
from typing import Any

import pytest
import torch
from torch import Tensor

from segda.errors import ConfigError
from segda.losses.contrastive import patch_contrast
from segda.objectives.objective import Objective, build


def test_loss_by_hand() -> None:
    key = torch.eye(2)[None].double()
    right = patch_contrast(key, key, 0.5)
    wrong = patch_contrast(key.flip(1), key, 0.5)
    assert float(right) == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(wrong) == pytest.approx(math.log(1 + math.exp(2)))
    assert float(patch_contrast(torch.ones(3, 4, 1), torch.ones(3, 4, 1), 0.07)) == pytest.approx(math.log(4))


def test_only_queries_get_a_gradient_and_only_keys_of_the_same_image_count() -> None:
    query, key = (torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    loss = patch_contrast(query, key, 1.0)
    loss.backward()
    assert query.grad is not None
    assert key.grad is None
    changed = torch.cat([key[:1], torch.randn(1, 5, 3, dtype=torch.float64)])
    (slope,) = torch.autograd.grad(patch_contrast(query, changed, 1.0), query)
    torch.testing.assert_close(slope[0], query.grad[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patches": 1}, "patch_contrast.patches: found 1, expected at least 2"),
        ({"temperature": 0.0}, "patch_contrast.temperature: found 0.0, expected a finite number above 0"),
        ({"domains": ()}, "patch_contrast.domains: empty"),
    ],
)
def test_values_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build({"patch_contrast": {"weight": 1.0, **options}})


class Mirrorable:
    """Networks that look at single pixels and translate by darkening."""

    frozen: frozenset[str] = frozenset()
    tied = True
    detail_multiple = 0

    def __init__(self, leans: bool = False) -> None:
        self.modules: dict[str, Any] = {}
        self.leans, self.encoded, self.projected = leans, [], []

    def trainable(self) -> list[str]:
        return []

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        self.encoded.append(image)
        ramp = torch.linspace(0, 1, image.shape[-1]) if self.leans else 0
        return [image, image[..., ::2, ::2] + ramp[::2] if self.leans else image[..., ::2, ::2]]

    def decode(self, features: list[Tensor], domain: str) -> Tensor:
        return features[0] / 2

    def project(self, features: list[Tensor]) -> list[Tensor]:
        self.projected.append(features)
        return [torch.nn.functional.normalize(x, dim=-1) for x in features]


def places_of(networks: Mirrorable, task: Any, batch: Any, **options: Any) -> tuple[list[Tensor], list[Tensor]]:
    """What is projected of translations and of originals."""
    terms = build({"patch_contrast": {"weight": 1.0, "domains": ("source",), **options}})
    objective = Objective(terms, networks, task, seed=3)  # type: ignore[arg-type]
    objective.generator_losses(objective.forward(batch, 0.0))
    return networks.projected[-2], networks.projected[-1]


def test_queries_and_keys_are_of_the_same_places(task: Any, batch_of: Any) -> None:
    queries, keys = places_of(Mirrorable(), task, batch_of(4), patches=16)
    assert [key.shape for key in keys] == [(4, 16, 3), (4, 16, 3)]
    for query, key in zip(queries, keys, strict=True):
        torch.testing.assert_close(query, key / 2)


def test_mirrored_originals_are_compared_at_the_places_they_had(task: Any, batch_of: Any) -> None:
    """The finest map does not depend on the direction, the coarse one here does, and then the two differ."""
    networks = Mirrorable(leans=True)
    batch = batch_of(8)
    queries, keys = places_of(networks, task, batch, flip=True)
    torch.testing.assert_close(queries[0], keys[0] / 2)
    mirrored = [
        not torch.equal(one, other) for one, other in zip(networks.encoded[-1], batch.source.image, strict=True)
    ]
    assert 0 < sum(mirrored) < 8
    ramp = torch.tensor(mirrored)
    assert not torch.allclose((keys[1] - 2 * queries[1])[ramp], (keys[1] - 2 * queries[1])[~ramp][:1], atol=1e-3)


def test_draws_depend_on_the_position_alone(task: Any, batch_of: Any) -> None:
    batch = batch_of(4)
    half = type(batch)(*(type(each)(*(part[2:] for part in each if part is not None)) for each in [batch.source]), None)
    whole = places_of(Mirrorable(), task, batch, patches=5, flip=True)
    part = places_of(Mirrorable(), task, half, patches=5, flip=True)
    for all_samples, some in zip(whole, part, strict=True):
        torch.testing.assert_close(all_samples[0][2:], some[0])
