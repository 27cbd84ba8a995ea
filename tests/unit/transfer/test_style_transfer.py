"""Style transfer: Gram matrices by hand, and an optimisation that does what it says."""

from typing import Any

import numpy as np
import pytest
import torch

from segda.errors import ConfigError
from segda.networks import vgg
from segda.transfer import style_transfer

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG with few maps: the code is the same."""
    monkeypatch.setitem(vgg.BLOCKS, 19, ((4, 4), (6, 6), (8,) * 4, (8,) * 4, (8,) * 4))


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """A bright square, and stripes."""
    image = np.full((32, 40, 3), 60, dtype=np.uint8)
    image[8:24, 10:30] = (200, 120, 80)
    stripes = np.zeros((40, 40, 3), dtype=np.uint8)
    stripes[::2] = (30, 90, 220)
    return image, stripes


def build(**options: Any) -> style_transfer.StyleTransfer:
    return style_transfer.build(CPU, weights="drawn", **{"steps": 8, **options})


def losses(transfer: style_transfer.StyleTransfer, image: np.ndarray, reference: np.ndarray) -> float:
    """The style loss of an image against a reference of its size."""

    def features(picture: np.ndarray) -> dict[str, torch.Tensor]:
        return transfer.network(torch.from_numpy(picture.transpose(2, 0, 1).copy()).float()[None] / 127.5 - 1)

    of_image, of_reference = features(image), features(reference)
    each = [
        style_transfer.style_loss(of_image[name], style_transfer.gram(of_reference[name])) for name in transfer.style
    ]
    return float(torch.stack(each).mean())


def test_gram_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # 2 maps of 2 positions
    assert torch.equal(style_transfer.gram(features), torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]))


def test_style_loss_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    reference = torch.tensor([[[5.0, 3.0], [3.0, 6.0]]])
    # Differences 0, -2, -2, 4: squares 24; 4 N^2 M^2 = 64.
    assert style_transfer.style_loss(features, reference).item() == pytest.approx(24 / 64)


def test_a_gram_matrix_does_not_depend_on_positions() -> None:
    features = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(style_transfer.gram(features.flip(3)), style_transfer.gram(features))


def test_content_loss_by_hand() -> None:
    assert style_transfer.content_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])).item() == 5 / 4


@pytest.mark.parametrize("options", [{"steps": 30}, {"optimizer": "adam", "learning_rate": 0.05, "steps": 15}])
def test_the_style_loss_falls(options: dict[str, Any]) -> None:
    image, stripes = pictures()
    transfer = build(content_weight=0.0, **options)
    stripes = stripes[:32]
    changed = transfer(image, stripes)
    assert changed.dtype == np.uint8
    assert changed.shape == image.shape
    assert losses(transfer, changed, stripes) < 0.7 * losses(transfer, image, stripes)


def test_without_style_the_image_is_unchanged() -> None:
    image, stripes = pictures()
    assert np.array_equal(build(style_weight=0.0)(image, stripes), image)


def test_the_same_call_gives_the_same_bytes() -> None:
    image, stripes = pictures()
    torch.manual_seed(1)
    first = build()(image, stripes)
    torch.manual_seed(2)
    assert np.array_equal(build()(image, stripes), first)
    assert not np.array_equal(build(seed=1)(image, stripes), first)
    assert not np.array_equal(first, image)


def test_gradients_work_where_a_caller_has_turned_them_off() -> None:
    image, stripes = pictures()
    with torch.no_grad():
        changed = build()(image, stripes)
    assert not np.array_equal(changed, image)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="no layer 'conv9_1'; did you mean 'conv"):
        build(style=("conv9_1",))
    with pytest.raises(ConfigError, match="at least one layer"):
        build(content=())
    with pytest.raises(ConfigError, match="steps 0"):
        build(steps=0)
    with pytest.raises(ConfigError, match=r"8x40 \(height x width\) is too small for layer conv5_1, which needs 16"):
        build()(*(picture[:8] for picture in pictures()))


def test_filters_are_drawn_from_the_seed() -> None:
    image, stripes = pictures()
    assert np.array_equal(build(seed=1)(image, stripes), build(seed=1)(image, stripes))
    assert not np.array_equal(build(seed=1)(image, stripes), build(seed=2)(image, stripes))
