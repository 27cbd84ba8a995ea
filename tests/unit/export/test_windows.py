"""Tiles give what the whole image gives, and where they cannot, no seam is seen."""

import pytest
import torch
from torch import Tensor, nn

from segda.errors import ConfigError
from segda.export import windows

GRID = 32


def convolutions(radius: int) -> nn.Sequential:
    """Fully convolutional, without normalisation: each output depends on pixels at most `radius` away."""
    torch.manual_seed(0)
    wide = nn.Conv2d(3, 3, 2 * radius + 1, padding=radius)
    nn.init.normal_(wide.weight, std=1 / radius)  # pixels at the rim count as much as those in the middle
    return nn.Sequential(wide, nn.Tanh(), nn.Conv2d(3, 3, 1)).eval()


@pytest.mark.parametrize("size", [(64, 160), (128, 96), (96, 96), (256, 160)])
@torch.inference_mode()
def test_tiled_equals_whole_where_a_network_sees_no_further_than_a_quarter_of_the_overlap(
    size: tuple[int, int],
) -> None:
    image, network = torch.rand(1, 3, *size) * 2 - 1, convolutions(8)
    tiled = windows.translate(image, network, (64, 64), 32, GRID)
    torch.testing.assert_close(tiled, network(image), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_network_that_sees_further_is_off_only_near_the_borders_of_tiles() -> None:
    image, network = torch.rand(1, 3, 64, 256) * 2 - 1, convolutions(20)
    wrong = (windows.translate(image, network, (64, 128), 64, GRID) - network(image)).abs().amax(dim=(0, 1, 2))
    begins = windows.starts(256, 128, 64, GRID)
    assert begins == [0, 64, 128]
    inner = [border for start in begins for border in (start, start + 128) if 0 < border < 256]
    near = torch.tensor([any(-20 <= x - border < 20 for border in inner) for x in range(256)])
    assert wrong[~near].max() < 1e-5
    assert wrong[near].max() > 0.01, "else the test proves nothing"


def test_stride_keeps_its_grid() -> None:
    """Tiles begin at multiples of the stride, so that a network with stride gives what it gives for the whole."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.Tanh(), nn.ConvTranspose2d(4, 3, 4, stride=4)).eval()
    image = torch.rand(1, 3, 96, 352)
    with torch.inference_mode():
        tiled = windows.translate(image, network, (96, 128), 42, GRID)
        torch.testing.assert_close(tiled, network(image), atol=1e-5, rtol=0)


def test_no_seam_in_a_flat_region_although_every_tile_has_a_brightness_of_its_own() -> None:
    """As normalisation over the image gives it: the steps between neighbouring pixels stay below what is seen."""
    levels = iter(torch.linspace(-0.1, 0.1, 12)[torch.randperm(12, generator=torch.Generator().manual_seed(0))])

    def network(tile: Tensor) -> Tensor:
        return tile + next(levels)

    answer = windows.translate(torch.zeros(1, 3, 320, 256), network, (128, 128), 64, GRID)
    steps = max(float(answer.diff(dim=axis).abs().max()) for axis in (-1, -2))
    # Half the overlap is 32 pixels; a raised cosine is at most pi/2 times as steep as a straight line.
    assert steps <= 0.2 * (torch.pi / 2) / 32 * 1.01
    assert answer.max() - answer.min() > 0.1, "tiles differ"


def test_weights_by_hand() -> None:
    # Overlap 8: two pixels count nothing, the next four rise as (1 - cos(pi t)) / 2 at t = 1/8, 3/8, 5/8, 7/8.
    rising = windows.weights(12, 8, before=True, after=False)
    expected = [0, 0, 0.038060, 0.308658, 0.691342, 0.961940, 1, 1, 1, 1, 1, 1]
    assert rising.tolist() == pytest.approx(expected, abs=1e-6)
    both = windows.weights(16, 8, before=True, after=True)
    assert both.tolist() == both.flip(0).tolist()
    assert (both[:8] + both[8:]).tolist() == pytest.approx([1.0] * 8)


def test_starts_by_hand() -> None:
    assert windows.starts(1920, 512, 64, 32) == [0, 448, 896, 1344, 1408]
    assert windows.starts(512, 512, 64, 32) == [0]
    assert windows.starts(96, 64, 32, 32) == [0, 32]
    assert windows.starts(512, 256, 100, 32) == [0, 128, 256], "156 is no multiple of 32"


@pytest.mark.parametrize(
    ("tile", "overlap", "line"),
    [((500, 512), 64, r"tile: \[500, 512\].*multiples of 32.*\[512, 512\]"), ((64, 64), 48, "overlap: 48"),
     ((128, 64), 16, "overlap: 16; expected from 32 to 32")],
)  # fmt: skip
def test_tiles_that_do_not_fit_are_refused(tile: tuple[int, int], overlap: int, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        windows.check(tile, overlap, GRID)
