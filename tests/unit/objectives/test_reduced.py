import torch

from segda.objectives.reduced import reduced_image, reduced_map


def test_images_are_averaged_and_maps_keep_their_values() -> None:
    image = torch.arange(16.0).view(1, 1, 4, 4)
    torch.testing.assert_close(reduced_image(image, 0.5), torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]]))
    label = torch.tensor([[0, 255, 7, 7]]).expand(4, 4)[None]
    reduced = reduced_map(label, 0.5)
    assert reduced.shape == (1, 2, 2)
    assert reduced.dtype == label.dtype
    assert reduced[0, :, 1].tolist() == [7, 7]
    assert set(reduced[0, :, 0].tolist()) <= {0, 255}
    assert reduced_map(label > 100, 0.5).dtype == torch.bool


def test_nothing_happens_at_scale_1() -> None:
    image, label = torch.rand(1, 3, 4, 4), torch.zeros(2, dtype=torch.int64)
    assert reduced_image(image, 1.0) is image
    assert reduced_map(label, 1.0) is label  # of whole images, too
