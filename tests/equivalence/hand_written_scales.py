"""The loss of HRDA by hand: context and detail crops, windows for the teacher."""

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Batch
from segda.data.augmentation.photometry import Photometry
from tests.equivalence.hand_written import Hand, Modules, cross_entropy, draws, ordinary, stream
from tests.equivalence.setting import SIZE

HALF, STRIDE = SIZE // 2, 8


def hrda(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    assert teacher is not None
    assert batch.target is not None
    x, y, c = batch.source.image, batch.target.image, batch.source.label
    assert c is not None
    both, detail = scales(modules, x, corners("source", batch.source.position))
    cropped = crops(c, corners("source", batch.source.position))
    image, label, weight = mixed(x, y, c, batch.source.position, windows(teacher, y))
    photometry = Photometry(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.04, blur=1.0)
    image = photometry(image, batch.target.position, stream("self_training"))
    student, _ = scales(modules, image, corners("target", batch.target.position))
    picked = -up(student).log_softmax(1).gather(1, label[:, None])[:, 0]
    supervised = 0.9 * cross_entropy(both, c) + 0.1 * cross_entropy(detail, cropped)
    return ordinary(supervised + (weight * picked).mean(), None, modules)


def corners(domain: str, position: Tensor) -> list[tuple[int, int]]:
    """By draws for each position, on the grid of places that leave the crop inside."""
    rows, columns = (draws(f"detail {axis}/{domain}", position).tolist() for axis in ("rows", "columns"))
    places = range(0, HALF + 1, STRIDE)
    return [(places[int(u * len(places))], places[int(v * len(places))]) for u, v in zip(rows, columns, strict=True)]


def crops(images: Tensor, places: list[tuple[int, int]]) -> Tensor:
    return torch.stack([
        image[..., top : top + HALF, left : left + HALF] for image, (top, left) in zip(images, places, strict=True)
    ])  # fmt: skip


def scales(modules: Modules, image: Tensor, places: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Logits of both scales, and of the crops; the fusion itself is computed by hand in `test_two_scales.py`."""
    encoder, head = modules["encoder"], modules["head"]
    detail = head(encoder(crops(image, places)))
    return head(encoder(functional.avg_pool2d(image, 2)), [detail], [places]), detail


def windows(modules: Modules, image: Tensor) -> Tensor:
    encoder, head = modules["encoder"], modules["head"]
    places = [[(top, left)] * len(image) for top in (0, 8, 16) for left in (0, 8, 16)]
    details = [head(encoder(crops(image, each))) for each in places]
    return head(encoder(functional.avg_pool2d(image, 2)), details, places)  # type: ignore[no-any-return]


def mixed(x: Tensor, y: Tensor, c: Tensor, positions: Tensor, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Half of each source image's classes on the target image; labels, and weights by the teacher's confidence."""
    confidence, pseudo = up(logits).softmax(1).max(1)
    image, label, weight = y.clone(), pseudo.clone(), torch.empty(pseudo.shape, dtype=torch.float64)
    for index, position in enumerate(positions.tolist()):
        weight[index] = (confidence[index] > 0.968).double().mean()
        present = [k for k in c[index].unique().tolist() if k != 255]
        generator = torch.Generator().manual_seed(stream(f"class_mix/{position}"))
        for drawn in torch.randperm(len(present), generator=generator).tolist()[: -(-len(present) // 2)]:
            pasted = c[index] == present[drawn]
            image[index][:, pasted] = x[index][:, pasted]
            label[index][pasted] = present[drawn]
            weight[index][pasted] = 1
    return image, label, weight


def up(logits: Tensor) -> Tensor:
    return functional.interpolate(logits, size=(SIZE, SIZE), mode="bilinear", align_corners=False)
