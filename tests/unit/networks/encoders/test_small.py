import torch

from segda.networks.encoders import small


def test_width_doubles_as_the_size_halves() -> None:
    encoder = small.build(width=8)
    assert encoder.channels == (3, 8, 16, 32)
    assert [tuple(f.shape[1:]) for f in encoder(torch.zeros(2, 3, 32, 48))] == [
        (3, 32, 48), (8, 16, 24), (16, 8, 12), (32, 4, 6)
    ]  # fmt: skip


def test_more_blocks_see_further() -> None:
    def seen(blocks: int) -> int:
        torch.manual_seed(0)
        encoder = small.build(width=4, blocks=blocks, norm="none")
        image = torch.rand(1, 3, 128, 8, requires_grad=True)
        encoder(image)[-1][0, :, 8].sum().backward()
        assert image.grad is not None
        return int((image.grad.abs().sum(dim=(0, 1, 3)) > 0).sum())

    assert seen(1) < seen(2) < seen(3)
