from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.paired_images import counterpart


def images_of_shapes(source: tuple[int, ...], target: tuple[int, ...]) -> Any:
    images = {"source": torch.zeros(source), "target": torch.ones(target)}
    return SimpleNamespace(image=images.__getitem__)


@pytest.mark.parametrize("target", [(1, 3, 4, 4), (2, 3, 4, 8)])
def test_images_that_cannot_be_pairs_are_named(target: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"\(2, 3, 4, 4\).*same pairs") as error:
        counterpart(images_of_shapes((2, 3, 4, 4), target))
    assert "\n" not in str(error.value)
