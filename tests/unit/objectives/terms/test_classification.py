from typing import Any

import pytest
import torch
from torch.nn import functional

from segda.errors import ConfigError
from segda.objectives.objective import Objective, build


def test_images_and_labels_at_a_share_of_their_size(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = build({"classification": {"weight": 1.0, "scale": 0.5}})
    batch = batch_of()
    batch.source.label[:] = batch.source.label[:, ::2, ::2].repeat_interleave(2, 1).repeat_interleave(2, 2)
    p = Objective(terms, stand_in(), task, seed=0).forward(batch, 0.5)
    logits = p.predict(functional.avg_pool2d(p.image("source"), 2), "source")
    expected = task.supervised_loss(logits, p.label()[:, ::2, ::2])
    torch.testing.assert_close(terms["classification"].generator(p), expected)


@pytest.mark.parametrize("scale", [0.0, 1.5])
def test_a_share_that_is_none(scale: float) -> None:
    with pytest.raises(ConfigError, match=rf"terms\.classification\.scale: found {scale}, expected a share above 0"):
        build({"classification": {"weight": 1.0, "scale": scale}})
