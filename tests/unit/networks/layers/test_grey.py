import pytest
import torch

from segda.errors import ConfigError
from segda.networks.layers.grey import from_grey, to_grey


def test_three_channels_are_averaged_and_one_is_repeated() -> None:
    image = torch.tensor([0.0, 0.3, 0.6]).view(1, 3, 1, 1)
    grey = to_grey(image)
    torch.testing.assert_close(grey, torch.full((1, 1, 1, 1), 0.3))
    torch.testing.assert_close(from_grey(grey), torch.full((1, 3, 1, 1), 0.3))


def test_each_image_of_a_pair_is_averaged_by_itself() -> None:
    pair = torch.cat([torch.ones(2, 3, 4, 4), -torch.ones(2, 3, 4, 4)], dim=1)
    assert torch.equal(to_grey(pair), torch.cat([torch.ones(2, 1, 4, 4), -torch.ones(2, 1, 4, 4)], dim=1))


def test_repeated_channels_may_be_changed_one_by_one() -> None:
    image = from_grey(torch.zeros(1, 1, 2, 2))
    image[:, 0] += 1
    assert not image[:, 1:].any()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ConfigError, match="got 4 channels, needs 3"):
        to_grey(torch.zeros(1, 4, 2, 2))
