import pytest
import torch

from segda.errors import ConfigError
from segda.networks.heads import flat


def test_logits_depend_on_every_position() -> None:
    head = flat.build((3, 8), (1, 16), 5)
    z = torch.randn(2, 8, 2, 2)
    classifier = head.layers[-1]
    by_hand = z.reshape(2, 32) @ classifier.weight.view(5, 32).T + classifier.bias
    torch.testing.assert_close(head([z]), by_hand.view(2, 5, 1, 1))
    assert not torch.allclose(head([z]), head([z.flip(3)]))


def test_section_5_1s_classifier_has_512_inputs() -> None:
    head = flat.build((3, 64, 64, 128, 128), (1, 2, 4, 8, 16), 10)
    assert sum(parameter.numel() for parameter in head.parameters()) == 10 * (512 + 1)


def test_another_size_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="head flat: got 3x2, is built for 2x2 alone; set the head's `side`"):
        flat.build((3, 8), (1, 16), 5)([torch.zeros(1, 8, 3, 2)])
    assert flat.build((3, 8), (1, 16), 5, side=3, width=4)([torch.zeros(1, 8, 3, 3)]).shape == (1, 5, 1, 1)
