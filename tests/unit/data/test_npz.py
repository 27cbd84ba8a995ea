"""The bytes of an archive depend only on its arrays."""

import io
import time

import numpy as np

from segda.data.npz import npz


def test_equal_arrays_give_equal_bytes_at_any_time() -> None:
    arrays = {"b": np.arange(6).reshape(2, 3), "a": np.eye(2, dtype=np.float32)}
    first = npz(arrays)
    time.sleep(2.1)  # the format stores times with a resolution of two seconds
    assert npz(dict(reversed(arrays.items()))) == first
    loaded = np.load(io.BytesIO(first), allow_pickle=False)
    assert sorted(loaded) == ["a", "b"]
    np.testing.assert_array_equal(loaded["b"], arrays["b"])
    assert loaded["a"].dtype == np.float32
