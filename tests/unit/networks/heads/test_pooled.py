import torch

from segda.networks.heads import pooled


def test_logits_are_linear_in_the_average_over_positions() -> None:
    head = pooled.build((3, 8), (1, 32), 5)
    z = torch.randn(2, 8, 3, 4)
    classifier = head.layers[-1]
    by_hand = z.mean(dim=(2, 3)) @ classifier.weight.view(5, 8).T + classifier.bias
    torch.testing.assert_close(head([z]), by_hand.view(2, 5, 1, 1))


def test_a_hidden_layer_is_rectified() -> None:
    head = pooled.build((3, 8), (1, 32), 5, width=6)
    hidden, classifier = head.layers[1], head.layers[-1]
    z = torch.randn(2, 8, 1, 1)
    units = torch.relu(z.view(2, 8) @ hidden.weight.view(6, 8).T + hidden.bias)
    torch.testing.assert_close(head([z]).view(2, 5), units @ classifier.weight.view(5, 6).T + classifier.bias)


def test_dropout_acts_in_training_only() -> None:
    head = pooled.build((3, 64), (1, 8), 2, dropout=0.5)
    z = [torch.randn(1, 64, 2, 2)]
    assert not torch.equal(head.train()(z), head(z))
    assert torch.equal(head.eval()(z), head(z))
