import torch
from torch.nn import functional

from segda.losses.supervised import cross_entropy, weighted_cross_entropy

LOGITS = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABEL = torch.randint(0, 4, (3, 5, 6), generator=torch.Generator().manual_seed(1))


def test_each_image_has_the_same_weight_however_few_pixels_it_has() -> None:
    label = LABEL.clone()
    label[0, 1:] = 255
    label[1, :, 2:] = 255
    single = [functional.cross_entropy(LOGITS[i : i + 1], label[i : i + 1], ignore_index=255) for i in range(3)]
    torch.testing.assert_close(cross_entropy(LOGITS, label), torch.stack(single).mean())
    assert not torch.isclose(cross_entropy(LOGITS, label), functional.cross_entropy(LOGITS, label, ignore_index=255))


def test_image_without_labels_counts_as_0_and_gives_no_nan() -> None:
    label = LABEL.clone()
    label[0] = 255
    logits = LOGITS.clone().requires_grad_()
    loss = cross_entropy(logits, label)
    torch.testing.assert_close(loss, cross_entropy(LOGITS[1:], label[1:]) * 2 / 3)
    loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0].abs().sum() == 0
    assert cross_entropy(LOGITS, torch.full_like(LABEL, 255)) == 0


def test_ignored_pixels_receive_no_gradient() -> None:
    label = LABEL.clone()
    label[:, 0, 0] = 255
    logits = LOGITS.clone().requires_grad_()
    cross_entropy(logits, label).backward()
    assert logits.grad[:, :, 0, 0].abs().sum() == 0
    assert logits.grad[:, :, 0, 1].abs().sum() > 0


def test_class_weights_as_in_torch_for_each_image() -> None:
    label = LABEL.clone()
    label[:, 0] = 255
    weights = torch.tensor([1.0, 2.0, 0.5, 4.0], dtype=torch.float64)
    single = [
        functional.cross_entropy(LOGITS[i : i + 1], label[i : i + 1], weights, ignore_index=255) for i in range(3)
    ]
    torch.testing.assert_close(cross_entropy(LOGITS, label, weights), torch.stack(single).mean())


def test_class_weights_that_leave_an_image_without_weight_give_no_nan() -> None:
    assert cross_entropy(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2).long(), torch.tensor([0.0, 1.0])) == 0


def test_classification_of_whole_images() -> None:
    torch.testing.assert_close(
        cross_entropy(LOGITS[:, :, 0, 0], LABEL[:, 0, 0]), functional.cross_entropy(LOGITS[:, :, 0, 0], LABEL[:, 0, 0])
    )


def test_gradient() -> None:
    label = LABEL.clone()
    label[0, 0] = 255
    assert torch.autograd.gradcheck(lambda x: cross_entropy(x, label), LOGITS.clone().requires_grad_())


def test_weighted_is_a_mean_over_all_pixels_ignored_ones_at_0() -> None:
    label = LABEL.clone()
    label[:, 0] = 255
    weight = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    each = functional.cross_entropy(LOGITS, label, ignore_index=255, reduction="none")
    torch.testing.assert_close(weighted_cross_entropy(LOGITS, label, weight), (each * weight).sum() / label.numel())
    assert weighted_cross_entropy(LOGITS, label, weight * 0) == 0
