import pytest
import torch
from torch import Tensor
from torch.nn import functional

from segda.errors import ConfigError
from segda.networks import networks, two_scales

SMALL = {"name": "small", "width": 4, "blocks": 0, "norm": "none"}
HEAD = {"name": "hrda", "head": {"name": "linear"}, "width": 4, "norm": "none"}


def _networks() -> networks.Networks:
    torch.manual_seed(0)
    return networks.build({"encoder", "head", "detail"}, classes=3, tied=True, encoder=SMALL, head=HEAD)


def _image(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _up(x: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


def _at_one_scale(built: networks.Networks, image: Tensor) -> tuple[Tensor, Tensor]:
    """The wrapped head's logits and the attention, by hand."""
    pyramid = built.modules["encoder"](image)
    head = built.modules["head"]
    embed, mix, _, _, classify = head.attention
    fine = pyramid[2].shape[-2:]
    maps = [_up(embed.embeddings[index](pyramid[level]), fine) for index, level in ((1, 3), (0, 2))]
    attention = classify(functional.relu(mix(torch.cat(maps, dim=1)))).sigmoid()
    return head.head(pyramid), attention


def test_a_drawn_crop_by_hand() -> None:
    built = _networks()
    image = _image(64, 96)
    corners = [(8, 16), (32, 48)]
    with torch.no_grad():
        logits, detail = built.classify_scales(built.encode(image, "source", corners))  # type: ignore[arg-type]
        context, attention = _at_one_scale(built, image.unflatten(2, (32, 2)).unflatten(4, (48, 2)).mean(dim=(3, 5)))
        size = (8, 12)
        attention = _up(attention, (4, 6))
        expected = _up(context, size)
        for index, (top, left) in enumerate(corners):
            crop, _ = _at_one_scale(built, image[index : index + 1, :, top : top + 32, left : left + 48])
            torch.testing.assert_close(detail[index : index + 1], crop)
            rows, columns = slice(top // 8, top // 8 + 4), slice(left // 8, left // 8 + 6)
            mixed = _up((1 - attention) * context, size)[index, :, rows, columns]
            expected[index, :, rows, columns] = mixed + _up(attention, size)[index, :, rows, columns] * crop[0]
    torch.testing.assert_close(logits, expected)


def test_without_a_crop_windows_cover_the_image_and_are_averaged() -> None:
    built = _networks()
    image = _image(64, 64, batch=1)
    with torch.no_grad():
        features = built.encode(image, "source")
        assert isinstance(features, two_scales.TwoScales)
        places = [(top, left) for top in (0, 16, 32) for left in (0, 16, 32)]
        assert features.windows == [[place] for place in places]
        for parameter in built.modules["head"].attention.parameters():
            parameter.zero_()
        logits = built.classify(features)
        total, count = torch.zeros(1, 3, 8, 8), torch.zeros(8, 8)
        for top, left in places:
            rows, columns = slice(top // 8, top // 8 + 4), slice(left // 8, left // 8 + 4)
            total[:, :, rows, columns] += _at_one_scale(built, image[:, :, top : top + 32, left : left + 32])[0]
            count[rows, columns] += 1
        context, _ = _at_one_scale(built, _up(image, (32, 32)))
    torch.testing.assert_close(logits, 0.5 * _up(context, (8, 8)) + 0.5 * total / count)


def test_images_of_any_size_are_predicted() -> None:
    built = _networks()
    with torch.no_grad():
        logits = built.classify(built.encode(_image(50, 70), "source"))
    assert logits.shape == (2, 3, 8, 10)  # of 64x80, the next size of crops on the encoder's stride


def test_of_one_pyramid_the_wrapped_head_answers() -> None:
    built = _networks()
    pyramid = built.modules["encoder"](_image(32, 32))
    assert torch.equal(built.classify(pyramid), built.modules["head"].head(pyramid))


def test_corners_lie_on_the_grid_and_crops_inside() -> None:
    draws = torch.linspace(0, 0.999, 50)
    corners = two_scales.drawn((64, 96), 8, draws, draws.flip(0))
    rows, columns = ([corner[axis] for corner in corners] for axis in (0, 1))
    assert (set(rows), set(columns)) == (set(range(0, 33, 8)), set(range(0, 49, 8)))
    assert two_scales.cut(torch.arange(6.0 * 8).view(1, 6, 8), [(3, 2)])[0, 0].tolist() == [26, 27, 28, 29]


@pytest.mark.parametrize(
    ("needs", "head", "message"),
    [
        ({"encoder", "head", "detail"}, {"name": "linear"}, "head: 'linear' has one scale.*name: hrda"),
        ({"encoder", "head", "decoder.target"}, HEAD, "head: 'hrda' halves the resolution.*decoders"),
        ({"encoder", "head"}, {"name": "hrda", "head": {"name": "liner"}}, "unknown head 'liner'"),
    ],
)
def test_what_does_not_go_together_is_refused(needs: set[str], head: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        networks.build(needs, classes=3, tied=True, encoder=SMALL, head=head, decoder={"name": "transposed"})


def test_a_head_for_whole_images_is_refused() -> None:
    built = networks.build(
        {"encoder", "head"}, classes=3, tied=True, encoder=SMALL, head={"name": "hrda", "head": {"name": "pooled"}}
    )
    with pytest.raises(ConfigError, match="head hrda: the wrapped head has 1x1 logits of 32x32 pixels"):
        built.classify(built.encode(_image(64, 64), "source"))
