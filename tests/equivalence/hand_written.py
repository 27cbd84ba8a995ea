"""The methods' losses once more, each written out in plain torch from its paper, without segda's losses or terms.

Each function takes the networks by name and a batch, and returns the value of both sides and, for each group of
networks, the scalar whose gradient that group descends.
"""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.batch import Batch
from segda.data.augmentation.photometry import Photometry
from tests.equivalence.setting import PROGRESS, SEED

Modules = dict[str, nn.Module]


class Hand(NamedTuple):
    generator: Tensor
    discriminator: Tensor | None
    players: list[tuple[Tensor, list[str]]]


def ordinary(generator: Tensor, discriminator: Tensor | None, modules: Modules) -> Hand:
    """Discriminators descend their own loss, everything else the generators'."""
    adversaries = [name for name in modules if name.startswith("discriminator.")]
    players = [(generator, [name for name in modules if name not in adversaries])]
    if discriminator is not None:
        players.append((discriminator, adversaries))
    return Hand(generator, discriminator, players)


def stream(purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{SEED}/{purpose}".encode()).digest()[:8], "big") >> 1


def draws(purpose: str, position: Tensor) -> Tensor:
    return torch.stack([
        torch.rand((), generator=torch.Generator().manual_seed(stream(f"{purpose}/{index}")))
        for index in position.tolist()
    ])  # fmt: skip


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Image by image, only over its labelled pixels."""
    logits = functional.interpolate(logits, size=label.shape[-2:], mode="bilinear", align_corners=False)
    losses = []
    for scores, truth in zip(logits, label, strict=True):
        valid = truth != 255
        picked = scores.log_softmax(0)[:, valid]
        losses.append(-picked[truth[valid], torch.arange(picked.shape[1])].mean())
    return sum(losses) / len(losses)


def inverse_frequency(label: Tensor) -> Tensor:
    weights = torch.ones(label.shape, dtype=torch.float64)
    for weight, image in zip(weights, label, strict=True):
        valid = image != 255
        for index in image[valid].unique():
            weight[image == index] = 1 / float((image == index).sum() / valid.sum())
        weight[valid] /= weight[valid].mean()
    return weights


def penalty(critic: nn.Module, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Gulrajani et al. 2017, equation 3, image by image."""
    total = torch.zeros((), dtype=torch.float64)
    for index in range(len(real)):
        between = share[index] * real[index] + (1 - share[index]) * fake[index].detach()
        between = between[None].requires_grad_()
        (slope,) = torch.autograd.grad(critic(between).realness.mean(), between, create_graph=True)
        total = total + (slope.pow(2).sum().sqrt() - 1) ** 2
    return total / len(real)


def source_only(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return ordinary(
        cross_entropy(modules["head"](modules["encoder"](batch.source.image)), batch.source.label), None, modules
    )


def dann(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = modules["encoder"](batch.source.image), modules["encoder"](batch.target.image)
    supervised = cross_entropy(modules["head"](source), batch.source.label)
    scores = torch.cat([modules["discriminator.feature"](x[-1]).realness for x in (source, target)])
    truth = torch.zeros_like(scores)
    truth[: len(batch.source.image)] = 1
    domain = functional.binary_cross_entropy_with_logits(scores, truth)
    strength = 2 / (1 + torch.exp(torch.tensor(-10 * PROGRESS, dtype=torch.float64))) - 1
    # A saddle point: the encoder ascends what the discriminator descends.
    players = [(supervised + domain, ["head", "discriminator.feature"]), (supervised - strength * domain, ["encoder"])]
    return Hand(supervised + domain, None, players)


def output_adversarial(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    s = modules["head"](modules["encoder"](batch.source.image))
    t = modules["head"](modules["encoder"](batch.target.image))
    d = modules["discriminator.logits"]
    fooled = d(t.softmax(1)).realness
    bce = functional.binary_cross_entropy_with_logits
    loss = cross_entropy(s, batch.source.label) + 0.001 * bce(fooled, torch.ones_like(fooled))
    real, fake = d(s.softmax(1).detach()).realness, d(t.softmax(1).detach()).realness
    return ordinary(loss, 0.5 * bce(real, torch.ones_like(real)) + 0.5 * bce(fake, torch.zeros_like(fake)), modules)


def cyclegan(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    """As in the released code; the history of 50 is not full in the first step, so that it changes nothing."""
    real_s, real_t = batch.source.image, batch.target.image
    d_s, d_t = modules["discriminator.source"], modules["discriminator.target"]

    def to_target(image: Tensor) -> Tensor:
        return modules["decoder"](modules["encoder.source"](image), "target")

    def to_source(image: Tensor) -> Tensor:
        return modules["decoder"](modules["encoder.target"](image), "source")

    fake_t, fake_s = to_target(real_s), to_source(real_t)
    l1, mse = functional.l1_loss, functional.mse_loss
    one = torch.ones_like(d_t(fake_t).realness)
    adversarial = mse(d_t(fake_t).realness, one) + mse(d_s(fake_s).realness, one)
    cycle = l1(to_source(fake_t), real_s) + l1(to_target(fake_s), real_t)
    identity = l1(to_target(real_t), real_t) + l1(to_source(real_s), real_s)
    discriminator = sum(
        0.5 * (mse(d(real).realness, one) + mse(d(fake.detach()).realness, 0 * one))
        for d, real, fake in ((d_s, real_s, fake_s), (d_t, real_t, fake_t))
    )
    return ordinary(adversarial + 10 * cycle + 5 * identity, discriminator, modules)


def cyclegan_semantic(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    real_s, real_t, label = batch.source.image, batch.target.image, batch.source.label
    d_s, d_t = modules["discriminator.source"], modules["discriminator.target"]
    fake_t = modules["decoder"](modules["encoder.source"](real_s), "target")
    fake_s = modules["decoder"](modules["encoder.target"](real_t), "source")
    again_s = modules["decoder"](modules["encoder.target"](fake_t), "source")
    again_t = modules["decoder"](modules["encoder.source"](fake_s), "target")
    adversarial = (d_t(fake_t).realness - 1).pow(2).mean() + (d_s(fake_s).realness - 1).pow(2).mean()
    semantic = cross_entropy(d_t(fake_t).semantic, label) + cross_entropy(d_s(again_s).semantic, label)
    weighted = ((again_s - real_s).abs().mean(1) * inverse_frequency(label)).mean()
    cycle = weighted + (again_t - real_t).abs().mean()
    discriminator = (
        0.5 * (d_s(real_s).realness - 1).pow(2).mean() + 0.5 * d_s(fake_s.detach()).realness.pow(2).mean()
        + 0.5 * (d_t(real_t).realness - 1).pow(2).mean() + 0.5 * d_t(fake_t.detach()).realness.pow(2).mean()
        + cross_entropy(d_s(real_s).semantic, label) + cross_entropy(d_t(fake_t.detach()).semantic, label)
    )  # fmt: skip
    return ordinary(adversarial + semantic + 10 * cycle, discriminator, modules)


def _translators(modules: Modules, batch: Batch, weights: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Equation 7 of the I2I paper with tied encoders; weight by name, an absent one is 0."""
    f, g, h = modules["encoder"], modules["decoder"], modules["head"]
    d_s, d_t = modules["discriminator.source"], modules["discriminator.target"]
    x, y, c = batch.source.image, batch.target.image, batch.source.label
    z_x, z_y = f(x), f(y)
    fake_t, fake_s = g(z_x, "target"), g(z_y, "source")
    loss = weights["c"] * cross_entropy(h(z_x), c)
    loss = loss + weights["id"] * ((g(z_x, "source") - x).abs().mean() + (g(z_y, "target") - y).abs().mean())
    loss = loss - weights["tr"] * (d_t(fake_t).realness.mean() + d_s(fake_s).realness.mean())
    loss = loss + weights["trc"] * cross_entropy(h(f(fake_t.detach())), c)
    if "cyc" in weights:
        back_s, back_t = g(f(fake_t), "source"), g(f(fake_s), "target")
        loss = loss + weights["cyc"] * ((back_s - x).abs().mean() + (back_t - y).abs().mean())
    critics = torch.zeros((), dtype=torch.float64)
    for d, real, fake, name, samples in (
        (d_s, x, fake_s, "source", batch.source),
        (d_t, y, fake_t, "target", batch.target),
    ):
        share = draws(f"gradient_penalty/{name}", samples.position)
        critics = critics + d(fake.detach()).realness.mean() - d(real).realness.mean()
        critics = critics + 10 * penalty(d, real, fake, share)
    return loss, critics


def i2i_gta5(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return ordinary(*_translators(modules, batch, {"c": 1.0, "id": 0.2, "tr": 0.04, "trc": 0.1}), modules)


def i2i(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    weights = {"c": 1.0, "id": 0.1, "tr": 0.02, "cyc": 0.05, "trc": 0.1}
    generator, discriminator = _translators(modules, batch, weights)
    d_z = modules["discriminator.feature"]
    z_x, z_y = modules["encoder"](batch.source.image)[-1], modules["encoder"](batch.target.image)[-1]
    generator = generator + 0.2 * (d_z(z_y).realness - 1).pow(2).mean()
    discriminator = discriminator + 0.5 * (d_z(z_x.detach()).realness - 1).pow(2).mean()
    discriminator = discriminator + 0.5 * d_z(z_y.detach()).realness.pow(2).mean()
    return ordinary(generator, discriminator, modules)


def self_training(modules: Modules, batch: Batch, teacher: Modules | None, augment: Photometry | None = None) -> Hand:
    x, y, c = batch.source.image, batch.target.image, batch.source.label
    size = y.shape[-2:]
    logits = functional.interpolate(teacher["head"](teacher["encoder"](y)), size=size, mode="bilinear")
    confidence, pseudo = logits.softmax(1).max(1)
    image, label, weight = y.clone(), pseudo.clone(), torch.empty(pseudo.shape, dtype=torch.float64)
    for index, position in enumerate(batch.source.position.tolist()):
        weight[index] = (confidence[index] > 0.968).double().mean()
        present = [k for k in c[index].unique().tolist() if k != 255]
        generator = torch.Generator().manual_seed(stream(f"class_mix/{position}"))
        for drawn in torch.randperm(len(present), generator=generator).tolist()[: -(-len(present) // 2)]:
            pasted = c[index] == present[drawn]
            image[index][:, pasted] = x[index][:, pasted]
            label[index][pasted] = present[drawn]
            weight[index][pasted] = 1
    photometry = augment or Photometry(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.04, blur=1.0)
    image = photometry(image, batch.target.position, stream("self_training"))
    student = functional.interpolate(modules["head"](modules["encoder"](image)), size=size, mode="bilinear")
    picked = -student.log_softmax(1).gather(1, label[:, None])[:, 0]
    supervised = cross_entropy(modules["head"](modules["encoder"](x)), c)
    return ordinary(supervised + (weight * picked).mean(), None, modules)
