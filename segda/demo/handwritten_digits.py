"""Real handwritten digits that come with scikit-learn: 1,797 pictures of 8x8 by 43 writers.

Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), the test part.
"""

from pathlib import Path

import numpy as np

from segda.data.npz import npz
from segda.errors import DataError
from segda.files import write_whole
from segda.seeds import derive_seed

#: How many there are.
COUNT = 1797
# Ink of a pixel as scikit-learn gives it: of 4 x 4 bits, how many are set.
_FULL = 16


def write(folder: Path, *, test: int, seed: int) -> None:
    """Write `train.npz` and `test.npz` with `images`, uint8 `[N, 8, 8]` (white on black), and `labels`, uint8 `[N]`.

    Split `test` has so many pictures, drawn at random. Existing files stay as they are.

    Raises:
        DataError: `test` leaves nothing to train on.
        ArtefactError: a file cannot be written.
    """
    if not 0 < test < COUNT:
        raise DataError(f"handwritten digits: {test} of {COUNT} pictures to hold out; leave some on either side")
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images * 255 / _FULL).round().astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    order = np.random.default_rng(derive_seed(seed, "handwritten digits")).permutation(len(labels))
    for split, chosen in (("train", order[test:]), ("test", order[:test])):
        path = folder / f"{split}.npz"
        if not path.is_file():
            chosen = np.sort(chosen)
            write_whole(path, npz({"images": images[chosen], "labels": labels[chosen]}))
