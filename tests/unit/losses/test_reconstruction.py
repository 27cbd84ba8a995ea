import pytest
import torch

from segda.losses.reconstruction import class_balance, reconstruction


def test_values_by_hand() -> None:
    image, original = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), -2.0)
    assert reconstruction(image, original) == 2
    assert reconstruction(image, original, "l2") == 4


def test_weight_falls_on_its_pixel() -> None:
    image, original = torch.zeros(1, 3, 1, 2), torch.tensor([1.0, 3.0]).expand(1, 3, 1, 2)
    assert reconstruction(image, original, weight=torch.tensor([[[2.0, 0.0]]])) == 1
    assert reconstruction(image, original, weight=torch.tensor([[[0.0, 2.0]]])) == 3


def test_every_class_weighs_alike_and_the_mean_is_1() -> None:
    label = torch.tensor([[[0, 0, 0, 1], [0, 0, 0, 2]]])
    weight = class_balance(label, (2, 4))
    assert weight.mean().item() == pytest.approx(1)
    totals = [weight[label == index].sum().item() for index in range(3)]
    assert totals == pytest.approx([8 / 3] * 3)
    assert weight[0, 0].tolist() == pytest.approx([4 / 9, 4 / 9, 4 / 9, 8 / 3])


def test_ignored_pixels_weigh_1_and_do_not_count() -> None:
    label = torch.tensor([[[0, 0, 1, 255]]])
    assert class_balance(label, (1, 4))[0, 0].tolist() == pytest.approx([0.75, 0.75, 1.5, 1.0])
    assert class_balance(torch.full((1, 2, 2), 255), (2, 2)).tolist() == [[[1, 1], [1, 1]]]


def test_images_do_not_see_each_other() -> None:
    label = torch.randint(0, 5, (4, 6, 6), generator=torch.Generator().manual_seed(0))
    alone = torch.cat([class_balance(label[i : i + 1], (6, 6)) for i in range(4)])
    torch.testing.assert_close(class_balance(label, (6, 6)), alone)


def test_label_of_another_size_is_resized_to_the_nearest() -> None:
    small = torch.tensor([[[0, 0, 0, 1], [0, 0, 0, 2]]])
    large = small.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(class_balance(large, (2, 4)), class_balance(small, (2, 4)))
