from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.networks.encoders import bottleneck

SMALL = {"name": "small", "width": 4}


def test_z_is_pooled_narrowed_and_rectified_after_the_unchanged_pyramid() -> None:
    encoder = bottleneck.build(SMALL, width=6).eval()
    image = torch.rand(2, 3, 32, 48)
    features, inner = encoder(image), encoder.encoder(image)
    assert all(torch.equal(one, two) for one, two in zip(features[:-1], inner, strict=True))
    linear = encoder.layers[1]
    by_hand = torch.relu(inner[-1].mean(dim=(2, 3)) @ linear.weight.view(6, 16).T + linear.bias)
    torch.testing.assert_close(features[-1], by_hand.view(2, 6, 1, 1))
    assert encoder.channels == (3, 4, 8, 16, 6)


def test_images_divide_by_the_wrapped_encoders_stride() -> None:
    assert bottleneck.build(SMALL).strides == (1, 2, 4, 8, 8)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        ({"name": "smal"}, "unknown encoder 'smal'; did you mean 'small'"),
        ({"name": "small", "widht": 4}, "bottleneck: encoder: small has no option 'widht'; did you mean 'width'"),
        ({"width": 4}, "bottleneck: encoder: none configured"),
        ({"name": "coupled"}, "cannot wrap 'coupled', which takes the domain"),
    ],
)
def test_a_wrong_inner_encoder_is_refused(encoder: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        bottleneck.build(encoder)
