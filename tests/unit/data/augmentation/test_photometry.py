import colorsys
from itertools import product

import pytest
import torch

from segda.data.augmentation.photometry import Photometry
from segda.errors import ConfigError

OFF = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "gamma": 0, "blur": 0}
IMAGE = torch.rand(4, 3, 8, 10, generator=torch.Generator().manual_seed(0)) * 2 - 1
POSITION = torch.tensor([3, 10, 11, 500])


@pytest.mark.parametrize("name", OFF)
def test_each_operation_works_alone_and_stays_in_range(name: str) -> None:
    made = Photometry(**{**OFF, name: 3.0 if name == "blur" else 0.4}, probability=1.0)(IMAGE, POSITION, 0)
    assert made.shape == IMAGE.shape
    assert made.min() >= -1
    assert made.max() <= 1
    for one, original in zip(made, IMAGE, strict=True):
        assert (one - original).abs().max() > 1e-3, "every sample has a factor of its own"


def test_depends_on_seed_and_position_alone() -> None:
    photometry = Photometry(gamma=0.3, blur=1.0)
    state = torch.get_rng_state()
    expected = photometry(IMAGE, POSITION, 7)
    assert torch.equal(expected, photometry(IMAGE, POSITION, 7))
    for index in range(4):
        alone = photometry(IMAGE[index : index + 1], POSITION[index : index + 1], 7)
        assert torch.allclose(alone[0], expected[index], atol=1e-6), "independent of the rest of the batch"
    assert not torch.allclose(expected, photometry(IMAGE, POSITION, 8))
    assert not torch.allclose(expected, photometry(IMAGE, POSITION + 1, 7))
    assert torch.equal(state, torch.get_rng_state())


def test_switched_off_or_improbable_it_is_the_identity() -> None:
    assert torch.allclose(Photometry(**OFF)(IMAGE, POSITION, 0), IMAGE, atol=1e-6)
    assert torch.allclose(Photometry(blur=2, gamma=1, probability=0)(IMAGE, POSITION, 0), IMAGE, atol=1e-6)


def test_probability_is_the_share_of_samples_touched() -> None:
    image = torch.full((400, 3, 1, 1), 0.2)
    made = Photometry(**{**OFF, "brightness": 0.5}, probability=0.25)(image, torch.arange(400), 0)
    assert 0.17 < ((made - image).abs() > 1e-4).float().mean() < 0.33


def test_brightness_scales_black_based_values() -> None:
    image = torch.full((200, 3, 1, 1), 0.0)
    made = Photometry(**{**OFF, "brightness": 0.4}, probability=1)(image, torch.arange(200), 0)
    factors = made[:, 0, 0, 0] + 1  # 0 in [-1, 1] is one half in [0, 1]
    assert 0.6 <= factors.min() < 0.65
    assert 1.35 < factors.max() <= 1.4


def test_contrast_keeps_the_mean_grey_of_each_sample() -> None:
    image = IMAGE[:, :1].repeat(1, 3, 1, 1) * 0.3
    made = Photometry(**{**OFF, "contrast": 0.5}, probability=1)(image, POSITION, 0)
    assert torch.allclose(made.mean((1, 2, 3)), image.mean((1, 2, 3)), atol=1e-3)
    ratio = made.std((1, 2, 3)) / image.std((1, 2, 3))
    assert ((ratio >= 0.5) & (ratio <= 1.5)).all()


def test_hue_turns_by_a_share_of_the_circle() -> None:
    image = torch.tensor([1.0, -0.6, -0.6]).reshape(1, 3, 1, 1).repeat(300, 1, 1, 1)
    made = (Photometry(**{**OFF, "hue": 0.1}, probability=1)(image, torch.arange(300), 0) + 1) / 2
    turns = torch.tensor([colorsys.rgb_to_hsv(*pixel.flatten().tolist())[0] for pixel in made])
    turns = torch.where(turns > 0.5, turns - 1, turns)
    assert -0.101 <= turns.min() < -0.09
    assert 0.09 < turns.max() <= 0.101


def test_gamma_is_symmetric_in_its_logarithm() -> None:
    image = torch.zeros(300, 3, 1, 1)
    made = (Photometry(**{**OFF, "gamma": 1.0}, probability=1)(image, torch.arange(300), 0)[:, 0, 0, 0] + 1) / 2
    exponent = made.log() / torch.tensor(0.5).log()
    assert 0.5 <= exponent.min() < 0.53
    assert 1.9 < exponent.max() <= 2.0


def test_blur_takes_detail_and_leaves_flat_colour() -> None:
    made = Photometry(**{**OFF, "blur": 3.0}, probability=1)(IMAGE, POSITION, 0)
    assert (made.std((1, 2, 3)) < IMAGE.std((1, 2, 3))).all()
    flat = torch.full((4, 3, 12, 12), 0.3)
    assert torch.allclose(Photometry(**{**OFF, "blur": 3.0})(flat, POSITION, 0), flat, atol=1e-5)


def test_grey_keeps_the_luminance_of_its_share_of_samples_and_moves_no_other_draw() -> None:
    image = torch.rand(400, 3, 2, 2, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    position = torch.arange(400)
    plain, made = (Photometry(grey=grey)(image, position, 0) for grey in (0.0, 0.25))
    lost = (made.std(dim=1) < 1e-6).all(dim=(1, 2))
    assert 0.18 < lost.float().mean() < 0.32
    assert torch.equal(made[~lost], plain[~lost])
    luminance = (plain * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(dim=1)
    inside = lost[:, None, None] & (plain.abs() < 1).all(dim=1)
    torch.testing.assert_close(made[:, 0][inside], luminance[inside], atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("key", "value"), [*product(["brightness", "hue", "probability", "grey"], [-0.1, 1.1]), ("blur", 0.01)]
)
def test_values_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"photometry\.{key}: {value}"):
        Photometry(**{key: value})
