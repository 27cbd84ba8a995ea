import torch
from torch.nn import functional

from segda.losses.soft_labels import soft_cross_entropy


def test_a_certain_label_is_the_usual_cross_entropy() -> None:
    logits, label = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    certain = functional.one_hot(label, 3).movedim(-1, 1).float()
    torch.testing.assert_close(soft_cross_entropy(logits, certain), functional.cross_entropy(logits, label))


def test_the_gradient_is_that_of_the_equation() -> None:
    logits, label = torch.zeros(1, 2, 1, requires_grad=True), torch.tensor([[[0.9], [0.0]]])
    soft_cross_entropy(logits, label).backward()
    # softmax times the sum of the label, less the label
    torch.testing.assert_close(logits.grad, torch.tensor([[[0.45 - 0.9], [0.45]]]))
