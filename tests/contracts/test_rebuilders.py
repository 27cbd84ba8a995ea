"""What holds for every network that rebuilds masked features; new files are tested without being listed here."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.contracts.test_networks import (
    CHANNELS,
    _assert_every_parameter_learns,
    _assert_reproducible,
    _build,
    _cases,
    _features,
)

REBUILDERS: dict[str, list[dict[str, Any]]] = {
    "transformer": [{"width": 8, "heads": 2}, {"width": 8, "heads": 2, "blocks": 1, "levels": 3}]
}


@pytest.mark.parametrize(("name", "options"), _cases("rebuilders", REBUILDERS))
class TestRebuilder:
    @staticmethod
    def masked(rows: int = 5, columns: int = 7) -> Tensor:
        return torch.rand(2, rows, columns, generator=torch.Generator().manual_seed(5)) < 0.4

    def test_maps_change_where_they_are_masked_alone(self, name: str, options: Any) -> None:
        features, masked = _features(), self.masked(6, 8)
        rebuilt = _build("rebuilders", name, options, CHANNELS)(features, masked)
        assert [map.shape for map in rebuilt] == [map.shape for map in features]
        levels = options.get("levels", 1)
        assert all(torch.equal(new, old) for new, old in zip(rebuilt[:-levels], features[:-levels], strict=True))
        for new, old in zip(rebuilt[-levels:], features[-levels:], strict=True):
            times = new.shape[-1] // 8
            hidden = masked.repeat_interleave(times, 1).repeat_interleave(times, 2)
            assert torch.equal((new != old).any(dim=1), hidden)

    def test_what_is_masked_is_not_seen(self, name: str, options: Any) -> None:
        rebuilder, features, masked = _build("rebuilders", name, options, CHANNELS), _features(), self.masked(6, 8)
        other = [*features[:-1], torch.where(masked[:, None], 100.0, features[-1])]
        assert torch.allclose(
            rebuilder(features, masked)[-1].where(masked[:, None], 0.0),
            rebuilder(other, masked)[-1].where(masked[:, None], 0.0), atol=1e-5,
        )  # fmt: skip

    def test_every_parameter_learns_and_z_too(self, name: str, options: Any) -> None:
        rebuilder, features = _build("rebuilders", name, options, CHANNELS).train(), _features()
        features[-1].requires_grad_()
        _assert_every_parameter_learns(
            rebuilder, lambda: torch.cat([map.flatten() for map in rebuilder(features, self.masked())[1:]])
        )
        assert features[-1].grad is not None
        assert features[-1].grad.any()

    def test_a_sample_does_not_depend_on_the_others_even_in_training(self, name: str, options: Any) -> None:
        rebuilder, features = _build("rebuilders", name, options, CHANNELS).train(), _features()
        alone = rebuilder([map[:1] for map in features], self.masked()[:1])[-1]
        assert torch.allclose(rebuilder(features, self.masked())[-1][:1], alone, atol=1e-5)

    def test_seed_and_state_fix_it(self, name: str, options: Any) -> None:
        features = _features()
        _assert_reproducible(
            lambda seed: _build("rebuilders", name, options, CHANNELS, seed=seed),
            lambda rebuilder: rebuilder(features, self.masked())[-1],
        )
