"""Fourier domain adaptation: amplitude inside the window from the reference, all else the image's own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segda.errors import ConfigError
from segda.transfer import fourier

CPU = torch.device("cpu")


def pictures(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    first = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return first, random.integers(0, 256, (height, width, 3), dtype=np.uint8)


def channels(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.transpose(2, 0, 1).astype(np.float64))


def test_the_window_holds_frequencies_of_both_signs_in_the_corners() -> None:
    low = fourier.low_frequencies(6, 8, 0.34)  # 0.34 * 6 = 2.04: up to 2 cycles
    rows, columns = [0, 1, 2, -2, -1], [0, 1, 2, -2, -1]
    expected = torch.zeros(6, 8, dtype=torch.bool)
    for row in rows:
        for column in columns:
            expected[row, column] = True
    assert torch.equal(low, expected)
    assert fourier.low_frequencies(5, 5, 0.0).sum() == 1


@pytest.mark.parametrize("beta", [0.01, 0.05, 0.09, 0.25])
@pytest.mark.parametrize("size", [(32, 32), (33, 40), (101, 64)])
def test_the_window_is_the_authors(size: tuple[int, int], beta: float) -> None:
    """Their code shifts the spectrum, cuts a square of 2 b + 1 about the middle, and shifts back."""
    height, width = size
    b = int(np.floor(min(height, width) * beta))
    shifted = np.zeros(size, dtype=bool)
    middle = (height // 2, width // 2)
    shifted[middle[0] - b : middle[0] + b + 1, middle[1] - b : middle[1] + b + 1] = True
    assert np.array_equal(fourier.low_frequencies(height, width, beta).numpy(), np.fft.ifftshift(shifted))


@settings(max_examples=25, deadline=None)
@given(height=st.integers(2, 17), width=st.integers(2, 17), beta=st.floats(0, 0.5), seed=st.integers(0, 9))
def test_amplitude_is_swapped_inside_only_and_phase_is_unchanged(
    height: int, width: int, beta: float, seed: int
) -> None:
    image, reference = (channels(picture) for picture in pictures(height, width, seed))
    low = fourier.low_frequencies(height, width, beta)
    before, other, after = (
        torch.fft.fft2(x) for x in (image, reference, fourier.amplitude_swapped(image, reference, beta))
    )
    torch.testing.assert_close(after.abs()[:, low], other.abs()[:, low])
    torch.testing.assert_close(after.abs()[:, ~low], before.abs()[:, ~low])
    # Only where there is an amplitude is there a phase.
    defined = after.abs() > 1e-6
    turn = torch.polar(torch.ones_like(after.abs()), after.angle() - before.angle())[defined]
    torch.testing.assert_close(turn.real, torch.ones_like(turn.real))


def test_beta_zero_moves_the_mean_colour_only() -> None:
    image, reference = pictures(8, 10)
    changed = fourier.amplitude_swapped(channels(image), channels(reference), 0.0)
    shift = channels(reference).mean((1, 2)) - channels(image).mean((1, 2))
    torch.testing.assert_close(changed, channels(image) + shift[:, None, None])


def test_an_image_is_its_own_reference() -> None:
    image, _ = pictures(15, 20)
    assert np.array_equal(fourier.build(CPU, beta=0.3)(image, image), image)


def test_values_are_clipped_and_the_reference_is_resized() -> None:
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[:, 8:] = 255
    white = np.full((9, 7, 3), 255, dtype=np.uint8)
    changed = fourier.build(CPU, beta=0.0)(image, white)
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    # The mean rises from 127.5 to 255: black becomes 127.5, and white would be 382.5.
    assert set(np.unique(changed[:, :8])) <= {127, 128}
    assert (changed[:, 8:] == 255).all()


@pytest.mark.parametrize("beta", [-0.1, 0.6])
def test_a_share_out_of_range_is_refused(beta: float) -> None:
    with pytest.raises(ConfigError, match=r"fourier: beta: .*from 0 to 0\.5"):
        fourier.build(CPU, beta=beta)
