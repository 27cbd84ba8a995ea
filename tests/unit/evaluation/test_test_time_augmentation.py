"""Test-time augmentation: against hand-computed values and plain prediction; errors if pixels would be missed."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.errors import ConfigError
from segda.evaluation import test_time_augmentation
from segda.evaluation.batching import as_decoded, as_input
from segda.evaluation.test_time_augmentation import Augmentation, predict, probabilities, starts
from segda.label_space import LabelSpace
from segda.tasks import classification, segmentation

SPACE = LabelSpace("colours", ("red", "green", "blue"), ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
TASK = segmentation.build(SPACE)


class Networks:
    """Logits are the image's channels, raised towards the right edge of the input, so that mirroring matters."""

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope
        self.modules: dict[str, nn.Module] = {}
        self.seen: list[tuple[int, ...]] = []

    def encode(self, image: Tensor, domain: str) -> list[Tensor]:
        self.seen.append(tuple(image.shape[-2:]))
        return [image]

    def classify(self, features: list[Tensor]) -> Tensor:
        logits = features[-1].clone()
        logits[:, 0] += self.slope * torch.linspace(0, 1, logits.shape[-1])
        return logits


def image(height: int, width: int, batch: int = 1) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("size", [(32, 64), (33, 47), (5, 7), (1, 1)])
@pytest.mark.parametrize(
    "how", [Augmentation(), Augmentation(window=(64, 64)), Augmentation(window=(500, 64), stride=(1, 1))]
)
def test_what_adds_nothing_answers_as_the_plain_prediction(how: Augmentation, size: tuple[int, int]) -> None:
    pixels, networks = image(*size, batch=2), Networks()
    output_size = (2 * size[0] + 1, size[1] + 3)
    expected = TASK.predict(Networks(), pixels, output_size)
    assert torch.equal(predict(networks, TASK, pixels, output_size, how), expected.byte())
    assert torch.equal(
        probabilities(networks, TASK, pixels, output_size, how), TASK.probabilities(Networks(), pixels, output_size)
    )


def test_the_default_asks_the_task_itself_and_once() -> None:
    class Own:
        prediction_rule = "its own"

        def predict(self, networks: object, pixels: Tensor, size: tuple[int, int], domain: str) -> Tensor:
            return torch.full((1, *size), 7)

    assert predict(Networks(), Own(), image(4, 4), (2, 2), Augmentation()).tolist() == [[[7, 7], [7, 7]]]  # type: ignore[arg-type]
    assert Augmentation().rule(Own()) == "its own"  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(32, 32), (9, 13)])
def test_flip_is_the_mean_with_the_mirrored_answer_mirrored_back(size: tuple[int, int]) -> None:
    pixels = image(*size)
    straight = TASK.probabilities(Networks(), pixels, size)
    mirrored = TASK.probabilities(Networks(), pixels.flip(-1), size).flip(-1)
    assert not torch.allclose(straight, mirrored)
    actual = probabilities(Networks(), TASK, pixels, size, Augmentation(flip=True))
    torch.testing.assert_close(actual, (straight + mirrored) / 2)
    twin = probabilities(Networks(), TASK, pixels.flip(-1), size, Augmentation(flip=True))
    torch.testing.assert_close(twin.flip(-1), actual)


def test_by_hand_probabilities_are_averaged_not_logits() -> None:
    """One pixel: logits 0 and 1 for red, from an image of two columns and its mirror image."""
    pixels = torch.zeros(1, 3, 32, 2)
    actual = probabilities(Networks(slope=4.0), TASK, pixels, (32, 2), Augmentation(flip=True))
    # Padding to 32 columns spreads the slope: the networks add the values of columns 0 and 1 of 32.
    steps = torch.linspace(0, 1, 32)[:2] * 4
    red = torch.exp(steps) / (torch.exp(steps) + 2)
    torch.testing.assert_close(actual[0, 0, 0], ((red + red.flip(0)) / 2))


def test_scales_are_asked_for_at_their_size_and_averaged() -> None:
    pixels, networks, size = image(32, 64), Networks(), (40, 80)
    actual = probabilities(networks, TASK, pixels, size, Augmentation(scales=(1.0, 2.0)))
    assert networks.seen == [(32, 64), (64, 128)]
    large = functional.interpolate(pixels, size=(64, 128), mode="bilinear", align_corners=False)
    expected = [TASK.probabilities(Networks(), each, size) for each in (pixels, large)]
    torch.testing.assert_close(actual, sum(expected) / 2)
    torch.testing.assert_close(actual.sum(dim=1), torch.ones(1, *size))


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (33, 65)])
def test_odd_sizes_at_every_scale_answer_at_the_size_asked_for(size: tuple[int, int]) -> None:
    how = Augmentation(flip=True, scales=(0.5, 0.75, 1.0, 1.75), window=(16, 24), stride=(5, 7))
    actual = probabilities(Networks(), TASK, image(*size, batch=2), size, how)
    assert actual.shape == (2, 3, *size)
    torch.testing.assert_close(actual.sum(dim=1), torch.ones(2, *size))


def test_windows_cover_everything_and_overlaps_are_averaged() -> None:
    pixels, networks = image(32, 48), Networks()
    actual = probabilities(networks, TASK, pixels, (32, 48), Augmentation(window=(32, 32), stride=(32, 16)))
    assert networks.seen == [(32, 32), (32, 32)]
    left = TASK.probabilities(Networks(), pixels[..., :32], (32, 32))
    right = TASK.probabilities(Networks(), pixels[..., 16:], (32, 32))
    torch.testing.assert_close(actual[..., :16], left[..., :16])
    torch.testing.assert_close(actual[..., 16:32], (left[..., 16:] + right[..., :16]) / 2)
    torch.testing.assert_close(actual[..., 32:], right[..., 16:])


def test_windows_of_networks_that_see_each_pixel_alone_equal_the_whole() -> None:
    pixels, how = image(45, 71), Augmentation(window=(20, 30), stride=(7, 11))
    expected = TASK.probabilities(Networks(slope=0), pixels, (45, 71))
    torch.testing.assert_close(probabilities(Networks(slope=0), TASK, pixels, (45, 71), how), expected)
    larger = functional.interpolate(expected, size=(90, 142), mode="bilinear", align_corners=False)
    torch.testing.assert_close(probabilities(Networks(slope=0), TASK, pixels, (90, 142), how), larger)


@pytest.mark.parametrize(
    ("length", "window", "step", "expected"),
    [(10, 10, 3, [0]), (5, 10, 3, [0]), (10, 4, 3, [0, 3, 6]), (11, 4, 3, [0, 3, 6, 7]), (10, 4, 4, [0, 4, 6])],
)
def test_windows_begin_so_that_the_last_one_ends_at_the_edge(
    length: int, window: int, step: int, expected: list[int]
) -> None:
    assert starts(length, window, step) == expected
    covered = {index for start in expected for index in range(start, min(start + window, length))}
    assert covered == set(range(length))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "scales"), ({"scales": (0.0, 1.0)}, "scales"), ({"scales": (1.0, 1.0)}, "each once"),
        ({"window": (0, 5)}, "window"), ({"stride": (5, 5)}, "without a window"),
        ({"window": (8, 8), "stride": (9, 8)}, "never seen"), ({"window": (8, 8), "stride": (0, 8)}, "stride"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augmentation(**options)


def test_the_rule_tells_all_that_was_done() -> None:
    how = Augmentation(flip=True, scales=(0.5, 1.0), window=(96, 192))
    assert how.rule(TASK) == (
        "mean of the probabilities over scales 0.5, 1; mirrored, too; windows of 96x192 every 64x128 (height x width); "
        "argmax"
    )
    assert Augmentation().rule(TASK) == TASK.prediction_rule


def test_whole_images_are_flipped_and_scaled_but_have_no_windows() -> None:
    task, pixels = classification.build(SPACE), image(8, 8, batch=3)
    actual = probabilities(Networks(), task, pixels, (), Augmentation(flip=True, scales=(1.0, 2.0)))
    assert actual.shape == (3, 3)
    one = (task.probabilities(Networks(), pixels) + task.probabilities(Networks(), pixels.flip(-1))) / 2
    torch.testing.assert_close(probabilities(Networks(), task, pixels, (), Augmentation(flip=True)), one)
    assert torch.equal(predict(Networks(), task, pixels, (), Augmentation()), task.predict(Networks(), pixels).byte())
    with pytest.raises(ConfigError, match="one class an image"):
        predict(Networks(), task, pixels, (), Augmentation(window=(4, 4)))


def summed(pixels: Tensor, size: tuple[int, int], how: Augmentation) -> Tensor:
    """The mean over windows, mirror images and scales with all of the probabilities in memory: the definition."""
    assert how.window is not None
    total = torch.zeros(len(pixels), 3, *size)
    for scale in how.scales:
        for mirrored in (False, True) if how.flip else (False,):
            sides = [max(1, round(side * scale)) for side in pixels.shape[-2:]]
            seen = pixels if scale == 1 else functional.interpolate(
                pixels, size=sides, mode="bilinear", align_corners=False, antialias=scale < 1
            )  # fmt: skip
            seen = seen.flip(-1) if mirrored else seen
            probability, times = torch.zeros(len(pixels), 3, *sides), torch.zeros(sides)
            for top in starts(sides[0], how.window[0], how.steps[0]):
                for left in starts(sides[1], how.window[1], how.steps[1]):
                    part = seen[..., top : top + how.window[0], left : left + how.window[1]]
                    own = TASK.probabilities(Networks(), part, tuple(part.shape[-2:]))
                    probability[..., top : top + how.window[0], left : left + how.window[1]] += own
                    times[top : top + how.window[0], left : left + how.window[1]] += 1
            mean = probability / times
            if tuple(sides) != size:
                mean = functional.interpolate(mean, size=size, mode="bilinear", align_corners=False)
            total += mean.flip(-1) if mirrored else mean
    return total / (len(how.scales) * (1 + how.flip))


WINDOWED = [
    Augmentation(window=(20, 24)), Augmentation(window=(20, 24), stride=(7, 11)), Augmentation(window=(20, 200)),
    Augmentation(window=(200, 24)), Augmentation(window=(20, 24), flip=True),
    Augmentation(window=(20, 24), flip=True, scales=(0.5, 1.0, 1.75)),
]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 1000])
@pytest.mark.parametrize("how", WINDOWED)
@pytest.mark.parametrize("size", [(45, 71), (33, 97), (7, 5)])
def test_rows_at_a_time_give_the_bits_of_the_whole_image(
    rows: int, how: Augmentation, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows, mirror images and scales, whose sizes differ, all the way down an image; also where it is resized."""
    monkeypatch.setattr(test_time_augmentation, "PIXELS_IN_A_BAND", rows * 71)
    pixels = image(45, 71, batch=2)
    expected = summed(pixels, size, how)
    assert torch.equal(probabilities(Networks(), TASK, pixels, size, how), expected)
    assert torch.equal(predict(Networks(), TASK, pixels, size, how), expected.argmax(dim=1).byte())


@pytest.mark.parametrize("how", WINDOWED)
@pytest.mark.parametrize("size", [(90, 142), (13, 200), (7, 5)])
def test_a_huge_map_is_resized_rows_at_a_time_to_the_same_numbers(
    how: Augmentation, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond what usual images have; the interpolation of a band rounds otherwise in its last bits."""
    monkeypatch.setattr(test_time_augmentation, "PIXELS_AT_ONCE", 0)
    monkeypatch.setattr(test_time_augmentation, "PIXELS_IN_A_BAND", 15)
    pixels = image(45, 71, batch=2)
    actual = probabilities(Networks(), TASK, pixels, size, how)
    torch.testing.assert_close(actual, summed(pixels, size, how), rtol=0, atol=1e-6)


@pytest.mark.parametrize("how", WINDOWED)
def test_bytes_give_the_bits_of_floats(how: Augmentation) -> None:
    decoded = np.random.default_rng(0).integers(0, 256, (45, 71, 3), dtype=np.uint8)
    expected = predict(Networks(), TASK, as_input(decoded), (45, 71), how)
    assert torch.equal(predict(Networks(), TASK, as_decoded(decoded), (45, 71), how), expected)


@pytest.mark.promise("batched-windows")
@pytest.mark.parametrize("size", [(32, 48), (45, 71)])
def test_windows_in_batches_are_all_seen_in_fewer_passes_and_answer_alike(size: tuple[int, int]) -> None:
    single, several = Networks(), Networks()
    pixels = image(*size, batch=2)
    how = Augmentation(window=(20, 24), stride=(7, 11), flip=True)
    expected = probabilities(single, TASK, pixels, size, how)
    batched = Augmentation(window=(20, 24), stride=(7, 11), flip=True, window_batch=4)
    torch.testing.assert_close(probabilities(several, TASK, pixels, size, batched), expected)
    a_pass = len(starts(size[0], 20, 7)) * len(starts(size[1], 24, 11))
    assert (len(single.seen), len(several.seen)) == (2 * a_pass, 2 * -(-a_pass // 4))


def test_how_many_windows_go_through_at_once_is_bounded_by_pixels_and_enters_no_protocol() -> None:
    how = Augmentation(window=(512, 1024))
    assert how.at_once(torch.device("cpu")) == 1
    assert how.at_once(torch.device("cuda")) == 4
    assert Augmentation(window=(3000, 3000)).at_once(torch.device("cuda")) == 1
    chosen = Augmentation(window=(512, 1024), window_batch=3)
    assert chosen.at_once(torch.device("cuda")) == 3
    assert chosen.to_json() == how.to_json()
    for wrong in ({"window_batch": 2}, {"window": (8, 8), "window_batch": 0}):
        with pytest.raises(ConfigError, match="window_batch"):
            Augmentation(**wrong)  # type: ignore[arg-type]
