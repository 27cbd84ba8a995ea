import pytest
import torch

from segda.losses.reconstruction import class_balance


def test_every_class_has_the_same_total_weight_and_the_mean_is_1() -> None:
    label = torch.tensor([[[0, 0, 0, 1], [0, 0, 0, 2]]])
    weight = class_balance(label, (2, 4))
    assert weight.mean().item() == pytest.approx(1)
    totals = [weight[label == index].sum().item() for index in range(3)]
    assert totals == pytest.approx([8 / 3] * 3)
    assert weight[0, 0].tolist() == pytest.approx([4 / 9, 4 / 9, 4 / 9, 8 / 3])


def test_an_image_of_ignored_pixels_alone_weighs_1() -> None:
    assert class_balance(torch.full((1, 2, 2), 255), (2, 2)).tolist() == [[[1, 1], [1, 1]]]


def test_weights_do_not_depend_on_the_other_images() -> None:
    label = torch.randint(0, 5, (4, 6, 6), generator=torch.Generator().manual_seed(0))
    single = torch.cat([class_balance(label[i : i + 1], (6, 6)) for i in range(4)])
    torch.testing.assert_close(class_balance(label, (6, 6)), single)


def test_label_of_another_size_is_resized_to_the_nearest() -> None:
    small = torch.tensor([[[0, 0, 0, 1], [0, 0, 0, 2]]])
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(class_balance(large, (2, 4)), class_balance(small, (2, 4)))
