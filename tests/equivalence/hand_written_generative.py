"""As `hand_written`, for methods that reconstruct, generate or translate, and for those with category constraints.

The third argument of a method with a judge is the judge.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from segda.batch import Batch, DomainBatch
from tests.equivalence.class_sizes import SIZES
from tests.equivalence.hand_written import Hand, Modules, cross_entropy, draws, ordinary, penalty, stream


def normals(purpose: str, position: Tensor, shape: tuple[int, ...]) -> Tensor:
    return torch.stack([
        torch.randn(shape, generator=torch.Generator().manual_seed(stream(f"{purpose}/{index}"))).double()
        for index in position.tolist()
    ])  # fmt: skip


def binary(scores: Tensor, truth: float) -> Tensor:
    """Cross entropy of raw scores with one label for all of them."""
    probability = scores.sigmoid()
    return -(truth * probability.log() + (1 - truth) * (1 - probability).log()).mean()


def drcn(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    """Ghifary et al. 2016, equation 4, with half of the target's pixels black before the encoder."""
    x, y = batch.source.image, batch.target.image
    drawn = normals("identity/corrupt/target", batch.target.position, (1, *y.shape[2:]))
    corrupted = y.clone()
    for image, numbers in zip(corrupted, drawn, strict=True):
        image[:, numbers[0] < 0] = -1
    again = modules["decoder"](modules["encoder"](corrupted), "target")
    supervised = cross_entropy(modules["head"](modules["encoder"](x)), batch.source.label)
    return ordinary(0.5 * supervised + 0.5 * functional.mse_loss(again, y), None, modules)


def _sampled(modules: Modules, samples: DomainBatch, domain: str) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
    """Features, mean, standard deviation, and a sample of the posterior."""
    features = modules["encoder"](samples.image)
    mean, log_variance = modules["posterior"](features[-1])
    deviation = log_variance.exp().sqrt()
    noise = normals(f"latent sample/{domain}", samples.position, tuple(mean.shape[1:]))
    return features, mean, deviation, mean + deviation * noise


def _aligned_auto_encoder(modules: Modules, batch: Batch) -> tuple[Tensor, Tensor, dict[str, tuple[Tensor, ...]]]:
    """Both I2I variants' `Q_c + 0.2 Q_z + 0.1 Q_id`, squared and on samples, and the adversary's own loss."""
    d_z, encoded = modules["discriminator.feature"], {}
    loss = torch.zeros((), dtype=torch.float64)
    for domain, samples in (("source", batch.source), ("target", batch.target)):
        features, mean, deviation, sample = _sampled(modules, samples, domain)
        again = modules["decoder"]([*features[:-1], sample], domain)
        loss = loss + 0.1 * (again - samples.image).pow(2).mean()
        encoded[domain] = (features[-1], mean, deviation, sample)
        if domain == "source":
            loss = loss + cross_entropy(modules["head"](features), samples.label)
    z_x, z_y = encoded["source"][0], encoded["target"][0]
    loss = loss + 0.2 * (d_z(z_y).realness - 1).pow(2).mean()
    discriminator = (d_z(z_x.detach()).realness - 1).pow(2).mean() + d_z(z_y.detach()).realness.pow(2).mean()
    return loss, discriminator / 2, encoded


def i2i_vae(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator, encoded = _aligned_auto_encoder(modules, batch)
    for _, mean, deviation, _ in encoded.values():
        posterior = torch.distributions.Normal(mean, deviation)
        prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
        loss = loss + 0.00001 * torch.distributions.kl_divergence(posterior, prior).sum() / len(mean)
    return ordinary(loss, discriminator, modules)


def i2i_adversarial_latent(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator, encoded = _aligned_auto_encoder(modules, batch)
    d = modules["discriminator.latent"]
    for domain, samples in (("source", batch.source), ("target", batch.target)):
        sample = encoded[domain][3]
        prior = normals(f"latent_adversarial/{domain}", samples.position, tuple(sample.shape[1:]))
        loss = loss + 0.01 * binary(d(sample).realness, 1)
        both = binary(d(prior).realness, 1) + binary(d(sample.detach()).realness, 0)
        discriminator = discriminator + both / 2
    return ordinary(loss, discriminator, modules)


def cogan(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    """As the released code's two updates."""
    body, d, sampler = modules["encoder"], modules["discriminator.feature"], modules["sampler"]
    noise = normals("sampler/source", batch.source.position, (sampler.noise,))
    fake_s, fake_t = sampler(noise, "source"), sampler(noise, "target")
    scores = torch.cat([d(body(fake_s, "source")[-1]).realness, d(body(fake_t, "target")[-1]).realness])
    generator = binary(scores, 1)
    real_s = body(batch.source.image, "source")
    z_s, z_t = body(fake_s.detach(), "source")[-1], body(fake_t.detach(), "target")[-1]
    real = torch.cat([d(real_s[-1]).realness, d(body(batch.target.image, "target")[-1]).realness])
    fake = torch.cat([d(z_s).realness, d(z_t).realness])
    supervised = cross_entropy(modules["head"](real_s), batch.source.label)
    coupled = functional.mse_loss(z_s, z_t) * z_s[0].numel()
    discriminator = binary(real, 1) + binary(fake, 0) + 10 * supervised + 0.01 * coupled
    players = [(generator, ["sampler"]), (discriminator, ["encoder", "head", "discriminator.feature"])]
    return Hand(generator, discriminator, players)


def pix2pix(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    x, y, d = batch.source.image, batch.target.image, modules["discriminator.pair"]
    fake = modules["decoder"](modules["encoder"](x), "target")
    loss = binary(d(torch.cat([x, fake], 1)).realness, 1) + 100 * functional.l1_loss(fake, y)
    real_pair, fake_pair = d(torch.cat([x, y], 1)).realness, d(torch.cat([x, fake.detach()], 1)).realness
    return ordinary(loss, 0.5 * (binary(real_pair, 1) + binary(fake_pair, 0)), modules)


def _translation(modules: Modules, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor, Callable[..., Tensor]]:
    """CycleGAN's adversary and 10 times its cycle, the discriminators' loss, both translations, the translator."""
    x, y = batch.source.image, batch.target.image
    d_s, d_t = modules["discriminator.source"], modules["discriminator.target"]

    def translate(image: Tensor, of: str, to: str) -> Tensor:
        return modules["decoder"](modules[f"encoder.{of}"](image), to)

    fake_t, fake_s = translate(x, "source", "target"), translate(y, "target", "source")
    loss = (d_t(fake_t).realness - 1).pow(2).mean() + (d_s(fake_s).realness - 1).pow(2).mean()
    back_s, back_t = translate(fake_t, "target", "source"), translate(fake_s, "source", "target")
    loss = loss + 10 * ((back_s - x).abs().mean() + (back_t - y).abs().mean())
    discriminator = sum(
        ((d(real).realness - 1).pow(2).mean() + d(fake.detach()).realness.pow(2).mean()) / 2
        for d, real, fake in ((d_s, x, fake_s), (d_t, y, fake_t))
    )
    return loss, discriminator, fake_s, fake_t, translate


def cyclegan_tutorial(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator, _, _, translate = _translation(modules, batch)
    x, y = batch.source.image, batch.target.image
    identity = (translate(y, "source", "target") - y).abs().mean() + (translate(x, "target", "source") - x).abs().mean()
    return ordinary(loss + 3 * identity, discriminator, modules)


def cycada_pixel(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    """Hoffman et al. 2018, equations 2 to 4; the judge is one source classifier for all four images."""
    assert judge is not None
    loss, discriminator, fake_s, fake_t, _ = _translation(modules, batch)
    for before, after in ((batch.source.image, fake_t), (batch.target.image, fake_s)):
        label = judge["head"](judge["encoder"](before)).argmax(1)
        loss = loss + functional.nll_loss(judge["head"](judge["encoder"](after)).log_softmax(1), label)
    return ordinary(loss, discriminator, modules)


def cycada(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    source = modules["head"](modules["encoder"](batch.source.image))
    target = modules["head"](modules["encoder"](batch.target.image))
    d = modules["discriminator.logits"]
    loss = cross_entropy(source, batch.source.label) + 0.1 * binary(d(target.softmax(1)).realness, 1)
    discriminator = binary(d(source.softmax(1).detach()).realness, 1)
    discriminator = discriminator + binary(d(target.softmax(1).detach()).realness, 0)
    return ordinary(loss, discriminator / 2, modules)


def _confusion(modules: Modules, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """`Q_c + (L_D + L_Dinv) / 2`, the discriminator's loss, and the target's logits."""
    source, target = modules["encoder"](batch.source.image), modules["encoder"](batch.target.image)
    d = modules["discriminator.feature"]

    def classified(first: Tensor, second: Tensor) -> Tensor:
        return (binary(d(first).realness, 1) + binary(d(second).realness, 0)) / 2

    s, t = source[-1], target[-1]
    loss = cross_entropy(modules["head"](source), batch.source.label) + (classified(s, t) + classified(t, s)) / 2
    return loss, classified(s.detach(), t.detach()), modules["head"](target)


def fcns_in_the_wild_adversarial(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, discriminator, _ = _confusion(modules, batch)
    return ordinary(loss, discriminator, modules)


def fcns_in_the_wild(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    """Hoffman et al. 2016, section 3.3, image by image and class by class."""
    loss, discriminator, logits = _confusion(modules, batch)
    for image in logits:
        size, predicted = image.softmax(0).mean((1, 2)), image.argmax(0)
        for index in range(len(image)):
            least, mean, most = (float(sizes[index]) for sizes in SIZES)
            if math.isnan(least) or (predicted == index).double().mean() <= 0.1 * least:
                continue
            factor = (0.1 if least > 0.1 else 1.0) / len(logits)
            if size[index] > most:
                loss = loss + factor * torch.log(size[index] / most)
            if size[index] < mean:
                loss = loss + factor * 0.1 * torch.log(mean / size[index])
    return ordinary(loss, discriminator, modules)


def _features_and_images(modules: Modules, batch: Batch, weights: dict[str, float]) -> tuple[Tensor, Tensor, Tensor]:
    """What the paper's digits and Office have in common: all but the image adversary's loss. With both translations."""
    f, g, h, d_z = modules["encoder"], modules["decoder"], modules["head"], modules["discriminator.feature"]
    x, y, c = batch.source.image, batch.target.image, batch.source.label
    z_x, z_y = f(x), f(y)
    fake_t, fake_s = g(z_x, "target"), g(z_y, "source")
    loss = weights["c"] * cross_entropy(h(z_x), c) + weights["z"] * (d_z(z_y[-1]).realness - 1).pow(2).mean()
    loss = loss + weights["id"] * ((g(z_x, "source") - x).abs().mean() + (g(z_y, "target") - y).abs().mean())
    back_s, back_t = g(f(fake_t), "source"), g(f(fake_s), "target")
    loss = loss + weights["cyc"] * ((back_s - x).abs().mean() + (back_t - y).abs().mean())
    if "trc" in weights:
        loss = loss + weights["trc"] * cross_entropy(h(f(fake_t.detach())), c)
    return loss, fake_s, fake_t


def _latent_discriminator(modules: Modules, batch: Batch) -> Tensor:
    f, d_z = modules["encoder"], modules["discriminator.feature"]
    real, fake = f(batch.source.image)[-1].detach(), f(batch.target.image)[-1].detach()
    return 0.5 * (d_z(real).realness - 1).pow(2).mean() + 0.5 * d_z(fake).realness.pow(2).mean()


def i2i_digits(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    loss, fake_s, fake_t = _features_and_images(modules, batch, {"c": 1.0, "z": 0.2, "id": 0.1, "cyc": 0.05})
    discriminator = _latent_discriminator(modules, batch)
    for domain, samples, fake in (("source", batch.source, fake_s), ("target", batch.target, fake_t)):
        critic: nn.Module = modules[f"discriminator.{domain}"]
        loss = loss - 0.02 * critic(fake).realness.mean()
        discriminator = discriminator + critic(fake.detach()).realness.mean() - critic(samples.image).realness.mean()
        share = draws(f"gradient_penalty/{domain}", samples.position)
        discriminator = discriminator + 10 * penalty(critic, samples.image, fake, share)
    return ordinary(loss, discriminator, modules)


def i2i_office(modules: Modules, batch: Batch, judge: Modules | None) -> Hand:
    weights = {"c": 1.0, "z": 0.2, "id": 0.1, "cyc": 0.05, "trc": 0.1}
    loss, fake_s, fake_t = _features_and_images(modules, batch, weights)
    discriminator = _latent_discriminator(modules, batch)
    for domain, samples, fake in (("source", batch.source, fake_s), ("target", batch.target, fake_t)):
        d = modules[f"discriminator.{domain}"]
        loss = loss + 0.02 * (d(fake).realness - 1).pow(2).mean()
        both = (d(samples.image).realness - 1).pow(2).mean() + d(fake.detach()).realness.pow(2).mean()
        discriminator = discriminator + both / 2
    return ordinary(loss, discriminator, modules)
