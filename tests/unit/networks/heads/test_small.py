import torch

from segda.networks.heads import small


def _features(channels: tuple[int, ...], strides: tuple[int, ...], height: int, width: int) -> list[torch.Tensor]:
    return [
        torch.randn(2, count, -(-height // stride), -(-width // stride))
        for count, stride in zip(channels, strides, strict=True)
    ]


def test_logits_have_the_finest_maps_size_for_odd_images_too() -> None:
    channels, strides = (3, 4, 8, 16), (1, 2, 4, 8)
    head = small.build(channels, strides, 5, width=4)
    assert head(_features(channels, strides, 65, 97)).shape == (2, 5, 33, 49)


def test_of_equal_strides_the_last_map_counts_and_missing_stages_are_left_out() -> None:
    channels, strides = (3, 0, 4, 8, 6), (1, 2, 4, 8, 8)
    head = small.build(channels, strides, 5, width=4)
    assert head.levels == [4, 2]
    assert head(_features(channels, strides, 32, 32)).shape == (2, 5, 8, 8)


def test_coarse_and_fine_maps_both_reach_the_logits() -> None:
    channels, strides = (3, 4, 8), (1, 2, 4)
    head = small.build(channels, strides, 2, width=4, norm="none").eval()
    features = _features(channels, strides, 16, 16)
    before = head(features)
    for level in (1, 2):
        changed = list(features)
        changed[level] = features[level] + 1
        assert not torch.allclose(head(changed), before)
    assert torch.equal(head([features[0] + 1, *features[1:]]), before)
