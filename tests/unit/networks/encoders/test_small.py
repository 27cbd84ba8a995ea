import torch

from segda.networks.encoders import small


def test_more_blocks_see_further() -> None:
    def seen(blocks: int) -> int:
        torch.manual_seed(0)
        encoder = small.build(width=4, blocks=blocks, norm="none")
        image = torch.rand(1, 3, 128, 8, requires_grad=True)
        encoder(image)[-1][0, :, 8].sum().backward()
        assert image.grad is not None
        return int((image.grad.abs().sum(dim=(0, 1, 3)) > 0).sum())

    assert seen(1) < seen(2) < seen(3)
