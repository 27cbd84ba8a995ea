from types import SimpleNamespace

import pytest
import torch

from segda.objectives.terms.paired_reconstruction import PairedReconstruction


@pytest.mark.parametrize(("loss", "expected"), [("l1", 0.5), ("l2", 0.25)])
def test_translated_source_against_the_target_at_the_same_place(loss: str, expected: float) -> None:
    images = {"source": torch.zeros(2, 3, 4, 4), "target": torch.full((2, 3, 4, 4), 0.25)}
    translated = {"source": torch.full((2, 3, 4, 4), 0.75)}
    p = SimpleNamespace(image=images.__getitem__, translated=translated.__getitem__)
    assert PairedReconstruction(1.0, loss).generator(p).item() == pytest.approx(expected)
