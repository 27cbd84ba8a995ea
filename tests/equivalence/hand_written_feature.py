"""The methods that align features, and adversaries with options, once more in plain torch; see `hand_written`."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from segda.batch import Batch
from tests.equivalence.hand_written import Hand, Modules, cross_entropy, ordinary
from tests.equivalence.setting import PROGRESS


def _encoded(modules: Modules, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
    return modules["encoder"](batch.source.image), modules["encoder"](batch.target.image)


def _domain_cross_entropy(source: Tensor, target: Tensor) -> Tensor:
    """Label 1 for source, 0 for target, averaged over both domains together."""
    scores = torch.cat([source.flatten(), target.flatten()])
    truth = torch.cat([torch.ones(source.numel()), torch.zeros(target.numel())]).double()
    return functional.binary_cross_entropy_with_logits(scores, truth)


def _domain_classifier(modules: Modules, source: list[Tensor], target: list[Tensor]) -> Tensor:
    d = modules["discriminator.feature"]
    return _domain_cross_entropy(d(source[-1].detach()).realness, d(target[-1].detach()).realness)


def dann_tutorial(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    d = modules["discriminator.feature"]
    domain = _domain_cross_entropy(d(source[-1]).realness, d(target[-1]).realness)
    probability = modules["head"](target).softmax(1)
    entropy = -(probability * probability.log()).sum(1).mean()
    supervised = cross_entropy(modules["head"](source), batch.source.label)
    total = (
        supervised
        - 0.1 * domain
        + 0.1 * entropy * torch.tensor(10.0).double().log() / torch.tensor(float(probability.shape[1])).double().log()
    )
    return ordinary(total, _domain_classifier(modules, source, target), modules)


def domain_confusion(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    confusion = torch.zeros((), dtype=torch.float64)
    for features in (source, target):
        q = modules["discriminator.feature"](features[-1]).realness.sigmoid()
        confusion = confusion + (-0.5 * q.log() - 0.5 * (1 - q).log()).mean() / 2
    supervised = cross_entropy(modules["head"](source), batch.source.label)
    return ordinary(supervised + 0.01 * confusion, _domain_classifier(modules, source, target), modules)


def adda(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    """Only the target encoder and the discriminator move."""
    source, target = modules["encoder.source"](batch.source.image), modules["encoder.target"](batch.target.image)
    fooled = modules["discriminator.feature"](target[-1]).realness
    loss = functional.binary_cross_entropy_with_logits(fooled, torch.ones_like(fooled))
    discriminator = _domain_classifier(modules, source, target)
    return Hand(loss, discriminator, [(loss, ["encoder.target"]), (discriminator, ["discriminator.feature"])])


def _conditional(modules: Modules, batch: Batch, entropy: bool) -> Hand:
    features = _encoded(modules, batch)
    domain = torch.zeros((), dtype=torch.float64)
    for pyramid, truth in zip(features, (1.0, 0.0), strict=True):
        z = pyramid[-1]
        predicted = modules["head"](pyramid).softmax(1).detach()
        product = torch.einsum("bkhw,bchw->bkchw", functional.interpolate(predicted, z.shape[-2:], mode="area"), z)
        score = modules["discriminator.conditional"](product.flatten(1, 2)).realness
        each = functional.binary_cross_entropy_with_logits(score, torch.full_like(score, truth), reduction="none")
        if entropy:
            sure = functional.interpolate(predicted, score.shape[-2:], mode="area")
            each = each * (1 + torch.exp((sure * sure.log()).sum(1, keepdim=True))) / 2
        domain = domain + each.mean() / 2
    supervised = cross_entropy(modules["head"](features[0]), batch.source.label)
    strength = 2 / (1 + torch.exp(torch.tensor(-10 * PROGRESS, dtype=torch.float64))) - 1
    players = [
        (supervised + domain, ["head", "discriminator.conditional"]),
        (supervised - strength * domain, ["encoder"]),
    ]
    return Hand(supervised + domain, None, players)


def cdan(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return _conditional(modules, batch, entropy=False)


def cdan_entropy(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    return _conditional(modules, batch, entropy=True)


def _positions(x: Tensor) -> Tensor:
    """Every position of `[B, C, h, w]` as a row."""
    return torch.stack([image[:, i, j] for image in x for i in range(x.shape[2]) for j in range(x.shape[3])])


def _coral(source: Tensor, target: Tensor) -> Tensor:
    s, t = _positions(source), _positions(target)
    return (s.T.cov() - t.T.cov()).pow(2).sum() / (4 * s.shape[1] ** 2)


def deep_coral(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = (modules["head"](features) for features in _encoded(modules, batch))
    return ordinary(cross_entropy(source, batch.source.label) + 0.8 * _coral(source, target), None, modules)


def deep_coral_tutorial(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    supervised = cross_entropy(modules["head"](source), batch.source.label)
    return ordinary(supervised + 500 * _coral(source[-1], target[-1]), None, modules)


def dan(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    s, t = _positions(source[-1]), _positions(target[-1])
    both = torch.cat([s, t])
    width = (both[:, None] - both[None]).pow(2).sum(-1).mean().detach()

    def kernel(first: Tensor, second: Tensor) -> Tensor:
        squared = (first[:, None] - second[None]).pow(2).sum(-1)
        return sum(torch.exp(-squared / (2 * 2.0**power * width)) for power in (-3, -2, -1, 0, 1))

    def without_itself(x: Tensor) -> Tensor:
        return kernel(x, x)[~torch.eye(len(x), dtype=torch.bool)].mean()

    discrepancy = without_itself(s) + without_itself(t) - 2 * kernel(s, t).mean()
    return ordinary(cross_entropy(modules["head"](source), batch.source.label) + discrepancy, None, modules)


def ddc(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    apart = source[-1].mean(dim=(0, 2, 3)) - target[-1].mean(dim=(0, 2, 3))
    supervised = cross_entropy(modules["head"](source), batch.source.label)
    return ordinary(supervised + 0.25 * apart.pow(2).sum(), None, modules)


def cyclegan_tempered(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    """Real images reach the discriminators through lenses; the history of 50 is not full in the first step."""
    x, y = batch.source.image, batch.target.image
    d_s, d_t = modules["discriminator.source"], modules["discriminator.target"]

    def to_target(image: Tensor) -> Tensor:
        return modules["decoder"](modules["encoder.source"](image), "target")

    def to_source(image: Tensor) -> Tensor:
        return modules["decoder"](modules["encoder.target"](image), "source")

    fake_t, fake_s = to_target(x), to_source(y)
    tempered_s, tempered_t = modules["lens.source"](x), modules["lens.target"](y)
    share = 1 - math.sin(math.pi * PROGRESS / (2 * 0.5))
    loss = (d_t(fake_t).realness - 1).pow(2).mean() + (d_s(fake_s).realness - 1).pow(2).mean()
    loss = loss + 10 * ((to_source(fake_t) - x).abs().mean() + (to_target(fake_s) - y).abs().mean())
    loss = loss + 5 * ((to_target(y) - y).abs().mean() + (to_source(x) - x).abs().mean())
    for d, tempered, real in ((d_s, tempered_s, x), (d_t, tempered_t, y)):
        loss = loss + share * d(tempered).realness.pow(2).mean() + (real - tempered).pow(2).mean()
    discriminator = sum(
        0.5 * (d(tempered.detach()).realness - 1).pow(2).mean() + 0.5 * d(fake.detach()).realness.pow(2).mean()
        for d, tempered, fake in ((d_s, tempered_s, fake_s), (d_t, tempered_t, fake_t))
    )
    return ordinary(loss, discriminator, modules)


def _known(modules: Modules, features: list[Tensor]) -> Tensor:
    """What FADA's discriminator is told of each position's class, at the size of z."""
    probability = (modules["head"](features) / 1.8).softmax(1).detach()
    return functional.interpolate(probability, features[-1].shape[-2:], mode="area").clamp(max=0.9)


def fada(modules: Modules, batch: Batch, teacher: Modules | None) -> Hand:
    source, target = _encoded(modules, batch)
    d = modules["discriminator.class_feature"]
    k = modules["head"](source).shape[1]
    loss = cross_entropy(modules["head"](source) / 1.8, batch.source.label)
    fooled = d(target[-1]).semantic.log_softmax(1)
    loss = loss - 0.001 * (_known(modules, target) * fooled[:, :k]).sum(1).mean()
    as_source = d(source[-1].detach()).semantic.log_softmax(1)[:, :k]
    as_target = d(target[-1].detach()).semantic.log_softmax(1)[:, k:]
    discriminator = -0.5 * (_known(modules, source) * as_source).sum(1).mean()
    discriminator = discriminator - 0.5 * (_known(modules, target) * as_target).sum(1).mean()
    return ordinary(loss, discriminator, modules)
