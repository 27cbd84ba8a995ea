import torch
from torch import Tensor

from segda.objectives.class_mix import class_mix_mask


def test_half_of_the_classes_rounded_up_whole_and_never_the_ignored_ones() -> None:
    label = torch.tensor([[[0, 0, 1], [2, 255, 1]], [[3, 3, 3], [3, 3, 3]], [[255, 255, 255], [255, 255, 255]]])
    for seed in range(20):
        mask = class_mix_mask(label, torch.tensor([0, 1, 2]), seed)
        chosen = label[0][mask[0]].unique()
        assert len(chosen) == 2
        assert 255 not in chosen
        assert torch.equal(mask[0], torch.isin(label[0], chosen))
        assert mask[1].all()
        assert not mask[2].any()


def test_the_choice_follows_seed_and_position_not_the_place_in_the_batch() -> None:
    label = torch.arange(8).view(1, 2, 4).repeat(6, 1, 1)
    whole = class_mix_mask(label, torch.arange(6), 0)
    torch.testing.assert_close(whole[2:4], class_mix_mask(label[:2], torch.tensor([2, 3]), 0))
    assert len({tuple(mask.flatten().tolist()) for mask in whole}) > 1
    assert not torch.equal(whole, class_mix_mask(label, torch.arange(6), 1))


def test_of_the_batch_each_image_pastes_what_it_has_of_half_of_all_classes() -> None:
    """Another process's images have classes 4 to 7, so that three or four of the eight are drawn here of four."""
    label = torch.tensor([[[0, 1], [2, 255]], [[3, 3], [255, 0]]])

    def gather(present: Tensor) -> Tensor:
        return torch.cat([present, torch.eye(255, dtype=torch.uint8)[4:8]])

    drawn = set()
    for seed in range(40):
        mask = class_mix_mask(label, torch.tensor([0, 1]), seed, gather=gather)
        assert not mask[label == 255].any()
        assert mask[1, 0].all() or not mask[1, 0].any()
        drawn.add(int(mask[0].sum()))
        alone = class_mix_mask(label[:1], torch.tensor([0]), seed, gather=lambda present: gather(class_rows(label)))
        assert torch.equal(alone, mask[:1])
    assert drawn == {0, 1, 2, 3}


def class_rows(label: Tensor) -> Tensor:
    return torch.stack([torch.isin(torch.arange(255), image) for image in label]).byte()
