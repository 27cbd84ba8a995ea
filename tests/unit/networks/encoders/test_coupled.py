import torch

from segda.networks.encoders import coupled


def test_the_released_layers() -> None:
    encoder = coupled.build(grey=True)
    # A first layer for each domain, 20 maps of 5x5; shared: 50 of 5x5x20, 500 of 4x4x50, one slope.
    by_hand = 2 * 20 * 26 + 50 * (25 * 20 + 1) + 500 * (16 * 50 + 1) + 1
    assert sum(parameter.numel() for parameter in encoder.parameters()) == by_hand
    assert encoder(torch.zeros(2, 3, 28, 28), "source")[-1].shape == (2, 500, 1, 1)
    assert coupled.PER_DOMAIN


def test_the_domains_differ_only_in_their_first_layer() -> None:
    encoder = coupled.build(hidden=8)
    image = torch.rand(1, 3, 28, 28)
    assert not torch.allclose(encoder(image, "source")[-1], encoder(image, "target")[-1])
    encoder.own["target"].load_state_dict(encoder.own["source"].state_dict())
    assert torch.equal(encoder(image, "source")[-1], encoder(image, "target")[-1])


def test_one_domains_images_do_not_train_the_others_layer() -> None:
    encoder = coupled.build(hidden=8)
    encoder(torch.rand(1, 3, 28, 28), "source")[-1].sum().backward()
    assert encoder.own["source"].weight.grad is not None
    assert encoder.own["target"].weight.grad is None
