from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segda.data.dataset import Dataset
from segda.errors import DataError


def test_read_gives_image_and_label(make_dataset: Callable[..., Dataset]) -> None:
    data = make_dataset(n=3)
    image, label = data.read(2)
    assert len(data) == 3
    assert image.shape == (6, 8, 3)
    assert label is not None
    assert label.tolist() == np.random.default_rng(2).integers(0, 19, (6, 8)).tolist()
    assert make_dataset(labels=False).read(2)[1] is None


def test_read_refuses_sizes_that_differ(make_dataset: Callable[..., Dataset], write_label: Callable) -> None:
    data = make_dataset(n=1)
    label = data.samples[0].label
    assert isinstance(label, Path)
    write_label(label, np.zeros((8, 6)))
    with pytest.raises(DataError, match=rf"{label.name}: label is 8x6 \(height x width\) but its image .* is 6x8"):
        data.read(0)
