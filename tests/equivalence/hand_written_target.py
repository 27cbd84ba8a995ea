"""The losses of methods that learn from predictions on target images, by hand as in `hand_written.py`."""

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Batch
from segda.data.augmentation.photometry import Photometry
from tests.equivalence.hand_written import Hand, Modules, cross_entropy, ordinary, stream
from tests.equivalence.hand_written_feature import cdan

SIZE = (32, 32)


def predicted(modules: Modules, image: Tensor) -> Tensor:
    return functional.interpolate(modules["head"](modules["encoder"](image)), size=SIZE, mode="bilinear")


def supervised(modules: Modules, batch: Batch) -> Tensor:
    return cross_entropy(modules["head"](modules["encoder"](batch.source.image)), batch.source.label)


def paste(batch: Batch, pseudo: Tensor, share: Tensor, whole: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Half of the classes of each image, or of the `whole` batch's, onto the target images; `share` is of the rest."""
    source, image, label = batch.source, batch.target.image.clone(), pseudo.clone()
    weight, pasted = share.expand(pseudo.shape).clone(), torch.zeros_like(pseudo, dtype=torch.bool)
    for index, position in enumerate(source.position.tolist()):
        present = [k for k in (source.label if whole else source.label[index]).unique().tolist() if k != 255]
        generator = torch.Generator().manual_seed(stream(f"class_mix/{position}"))
        for drawn in torch.randperm(len(present), generator=generator).tolist()[: -(-len(present) // 2)]:
            pasted[index] |= source.label[index] == present[drawn]
        image[index][:, pasted[index]] = source.image[index][:, pasted[index]]
        label[index][pasted[index]] = source.label[index][pasted[index]]
        weight[index][pasted[index]] = 1
    return image, label, weight, pasted


def augmented(image: Tensor, batch: Batch, purpose: str, jitter: float, hue: float, blur: float) -> Tensor:
    photometry = Photometry(brightness=jitter, contrast=jitter, saturation=jitter, hue=hue, blur=blur)
    return photometry(image, batch.target.position, stream(purpose))


def weighed(logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
    return (-weight * logits.log_softmax(1).gather(1, label[:, None])[:, 0]).mean()


def dacs(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    confidence, pseudo = predicted(teacher, batch.target.image).softmax(1).max(1)
    share = (confidence > 0.968).double().mean()
    image, label, weight, _ = paste(batch, pseudo, share, whole=False)
    seen = predicted(modules, augmented(image, batch, "self_training", 0.25, 0.25, 1.15))
    return ordinary(supervised(modules, batch) + weighed(seen, label, weight), None, modules)


def both_ways(modules: Modules, image: Tensor) -> Tensor:
    """Logarithms of the mean probabilities of an image and of its mirror image, turned back."""
    plain, mirrored = (modules["head"](modules["encoder"](each)).softmax(1) for each in (image, image.flip(-1)))
    return functional.interpolate(((plain + mirrored.flip(-1)) / 2).log(), size=SIZE, mode="bilinear")


def vfm_uda(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return masked(modules, batch, both_ways(teacher, batch.target.image))


def mic(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return masked(modules, batch, predicted(teacher, batch.target.image))


def masked(modules: Modules, batch: Batch, taught: Tensor) -> Hand:
    y = batch.target.image
    confidence, pseudo = taught.softmax(1).max(1)
    share = (confidence > 0.968).double().mean()
    image, label, weight, _ = paste(batch, pseudo, share, whole=True)
    seen = predicted(modules, augmented(image, batch, "self_training", 0.2, 0.2, 1.15))
    hidden = augmented(y, batch, "masked_consistency", 0.2, 0.2, 1.15).clone()
    for index, position in enumerate(batch.target.position.tolist()):
        generator = torch.Generator().manual_seed(stream(f"masked_consistency/target/{position}"))
        drawn = torch.rand(1, 16, 16, generator=generator)[0]
        for row in range(16):
            for column in range(16):
                if drawn[row, column] < 0.7:  # blocks of 32 / 16 pixels
                    hidden[index, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 0
    inferred = predicted(modules, hidden)
    loss = (
        supervised(modules, batch) + weighed(seen, label, weight) + share * functional.cross_entropy(inferred, pseudo)
    )
    return ordinary(loss, None, modules)


def distillation(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    taught = predicted(judge, batch.target.image)
    image, label, _, pasted = paste(batch, taught.argmax(1), torch.ones(()), whole=False)
    seen = predicted(modules, augmented(image, batch, "distillation", 0.2, 0.04, 1.0))
    hard = -seen.log_softmax(1).gather(1, label[:, None])[:, 0]
    p, q = (taught / 2).softmax(1), (seen / 2).softmax(1)
    soft = 4 * (p * (p / q).log()).sum(1)
    loss = torch.where(pasted, hard, (hard + soft) / 2).mean()
    return ordinary(supervised(modules, batch) + loss, None, modules)


def confusion(logits: Tensor) -> Tensor:
    """As the authors write it: a matrix of classes, weighted, with rows scaled to sum 1."""
    p = (logits.movedim(1, -1).flatten(0, -2) / 2.5).softmax(1)
    weight = (1 + torch.exp((p * p.log()).sum(1))).detach()
    weight = len(p) * weight / weight.sum()
    matrix = (weight[:, None] * p).T @ p
    matrix = matrix / matrix.sum(1, keepdim=True)
    return (matrix.sum() - matrix.trace()) / len(matrix)


def mcc(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    logits = modules["head"](modules["encoder"](batch.target.image))
    return ordinary(supervised(modules, batch) + confusion(logits), None, modules)


def cdan_mcc(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    """Reversal leaves the confusion's own gradient as it is."""
    adversarial = cdan(modules, batch, teacher)
    extra = confusion(modules["head"](modules["encoder"](batch.target.image)))
    players = [(loss + extra, names) for loss, names in adversarial.players]
    return Hand(adversarial.generator + extra, None, players)
