"""As `hand_written`, for methods that compare places of an image with one another."""

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Batch, DomainBatch
from tests.equivalence.hand_written import Hand, Modules, draws, ordinary, stream


def patch_nce(modules: Modules, samples: DomainBatch, domain: str, flip: bool) -> Tensor:
    """Park et al. 2020, equations 3 to 5, image by image, map by map and place by place."""
    encoder, layers = modules["encoder"], modules["projection"].levels
    images = samples.image
    translated = modules["decoder"](encoder(images), "target")
    mirrored = draws(f"patch_contrast/flip/{domain}", samples.position) < 0.5 if flip else [False] * len(images)
    maps, losses = encoder(translated), []
    for index, position in enumerate(samples.position.tolist()):
        original = images[index : index + 1]
        keys = encoder(original.flip(3) if mirrored[index] else original)
        for level, layer in enumerate(layers):
            after, before = maps[level][index], keys[level][0].detach()
            before = before.flip(2) if mirrored[index] else before
            height, width = after.shape[1:]
            generator = torch.Generator().manual_seed(stream(f"patch_contrast/{level}/{domain}/{position}"))
            places = torch.randperm(height * width, generator=generator)[:256].tolist()

            def vectors(x: Tensor, layer=layer, places=places, width=width) -> Tensor:
                rows = torch.stack([x[:, place // width, place % width] for place in places])
                projected = layer[2](layer[1](layer[0](rows)))
                return projected / projected.pow(2).sum(1, keepdim=True).sqrt()

            query, key = vectors(after), vectors(before).detach()
            for number, one in enumerate(query):
                losses.append(functional.cross_entropy(key @ one / 0.07, torch.tensor(number)) / len(places))
    return torch.stack(losses).sum() / (len(images) * len(layers))


def _adversary(modules: Modules, batch: Batch) -> tuple[Tensor, Tensor]:
    d = modules["discriminator.target"]
    fake = modules["decoder"](modules["encoder"](batch.source.image), "target")
    discriminator = (d(batch.target.image).realness - 1).pow(2).mean() + d(fake.detach()).realness.pow(2).mean()
    return (d(fake).realness - 1).pow(2).mean(), discriminator / 2


def cut(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator = _adversary(modules, batch)
    both = patch_nce(modules, batch.source, "source", False) + patch_nce(modules, batch.target, "target", False)
    return ordinary(loss + both / 2, discriminator, modules)


def fastcut(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator = _adversary(modules, batch)
    return ordinary(loss + 10 * patch_nce(modules, batch.source, "source", True), discriminator, modules)
