"""How fast a training step is, compared with a loop of the same mathematics written by hand, and what its log costs.

Four trainings on the networks of shipped pipelines, with random parameters and random batches. Ours is `fit` itself,
every other step of which is logged; the loop calls the same networks, with losses of a few lines of torch. The two take
turns, two steps and one: the ratio is the median over the turns, of steps that are not logged.

The share of the measured peak is the floating-point operations of a step (as torch counts them) a second, over those of
one large convolution, forward and backward, on the same threads.
"""

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipelines.definition.schema import RuntimeConfig, TrainingConfig
from segda.batch import DOMAINS, Batch, Domain
from segda.engine.fit import Schedule, fit
from segda.engine.health import HealthPolicy
from segda.engine.profiler import Profiler
from segda.engine.recorder import Recorder
from segda.engine.resume import Checkpointer
from segda.engine.session import Session
from segda.label_space import load
from tools.bench.harness import Figure, medians, seconds
from tools.bench.inputs import Operations, noise, stage_of

LOGGED = 2
"""Every second step is logged, so that those and the others meet the same conditions."""
WARM_UP = 2
"""Turns that are not measured: optimizers make their states in the first."""
LEAST = 0.97
MOST_LOGGED = 2.0

Networks = Mapping[str, nn.Module]
Images = tuple[Tensor, ...]


class Case(NamedTuple):
    """One training: its title in the table, a stage of a shipped pipeline, images a step, and the losses by hand."""

    title: str
    pipeline: str
    stage: str
    batch: int
    generator_loss: Callable[[Networks, Batch], tuple[Tensor, Images]]
    discriminator_loss: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor] | None = None


def mixing(batch: Batch, domain: Domain) -> Tensor:
    """Where `wgan_gp` penalises, as a loop would draw it: `[B]` in `[0, 1)`."""
    return torch.rand(len(batch.source.image), device=batch.source.image.device)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def by_hand(case: Case, config: TrainingConfig, networks: Networks, **further: Any) -> Callable[[Batch], None]:
    """A step of the loop: an update of all networks but the discriminators, then one of both discriminators.

    `further` are options of both optimizers that the config does not have.
    """
    chosen = config.optimizer
    discriminators = nn.ModuleList(networks[f"discriminator.{domain}"] for domain in DOMAINS if case.discriminator_loss)
    groups: list[dict[str, Any]] = [
        {"params": list(module.parameters()), "lr": chosen.learning_rate * factor}
        for name, module in networks.items() if not name.startswith("discriminator")
        for factor in [chosen.encoder_factor if name.startswith("encoder") else 1.0]
    ]  # fmt: skip
    make = torch.optim.AdamW if chosen.name == "adamw" else torch.optim.Adam
    options: dict[str, Any] = {"lr": chosen.learning_rate, "betas": chosen.betas, "weight_decay": chosen.weight_decay}
    options |= further
    first, second = make(groups, **options), make(discriminators.parameters(), **options) if discriminators else None

    def step(batch: Batch) -> None:
        discriminators.requires_grad_(False)
        loss, fakes = case.generator_loss(networks, batch)
        update(first, loss)
        if second is None or case.discriminator_loss is None or batch.target is None:
            return
        discriminators.requires_grad_(True)
        loss, real = torch.zeros(()), (batch.source.image, batch.target.image)
        for index, domain in enumerate(DOMAINS):
            share, fake = mixing(batch, domain), fakes[index].detach()
            loss = loss + case.discriminator_loss(discriminators[index], real[index], fake, share)
        update(second, loss)

    return step


def cyclegan(networks: Networks, batch: Batch) -> tuple[Tensor, Images]:
    """CycleGAN's generators: least squares, cycle 10, identity 5; the loss, and images like source and like target."""
    assert batch.target is not None
    x, y, decode = batch.source.image, batch.target.image, networks["decoder"]
    encode_source, encode_target = networks["encoder.source"], networks["encoder.target"]
    like_target, like_source = decode(encode_source(x), "target"), decode(encode_target(y), "source")
    fool = (networks["discriminator.source"](like_source).realness - 1).square().mean()
    fool = fool + (networks["discriminator.target"](like_target).realness - 1).square().mean()
    cycle = functional.l1_loss(decode(encode_target(like_target), "source"), x)
    cycle = cycle + functional.l1_loss(decode(encode_source(like_source), "target"), y)
    identity = functional.l1_loss(decode(encode_target(x), "source"), x)
    identity = identity + functional.l1_loss(decode(encode_source(y), "target"), y)
    return fool + 10 * cycle + 5 * identity, (like_source, like_target)


def least_squares(d: nn.Module, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """Half the least-squares loss; the history of 50 images never fills in so few steps, so it returns them."""
    return ((d(real).realness - 1).square().mean() + d(fake).realness.square().mean()) / 2


def i2i(networks: Networks, batch: Batch) -> tuple[Tensor, Images]:
    """The I2I objective of GTA5: classification, Wasserstein translation, identity, translated classification."""
    encode, decode, classify = networks["encoder"], networks["decoder"], networks["head"]
    assert batch.target is not None
    assert batch.source.label is not None
    x, y, label = batch.source.image, batch.target.image, batch.source.label
    source, target = encode(x), encode(y)
    like_target, like_source = decode(source, "target"), decode(target, "source")
    again = classify(encode(like_target.detach()))
    identity = functional.l1_loss(decode(source, "source"), x) + functional.l1_loss(decode(target, "target"), y)
    fool = -networks["discriminator.source"](like_source).realness.mean()
    fool = fool - networks["discriminator.target"](like_target).realness.mean()
    loss = cross_entropy(classify(source), label) + 0.04 * fool + 0.2 * identity + 0.1 * cross_entropy(again, label)
    return loss, (like_source, like_target)


def wasserstein(d: nn.Module, real: Tensor, fake: Tensor, share: Tensor) -> Tensor:
    """WGAN-GP's loss, penalty 10."""
    share = share.to(real).view(-1, 1, 1, 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    value = d(between).realness.flatten(1).mean(dim=1).sum()
    (gradient,) = torch.autograd.grad(value, between, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return d(fake).realness.mean() - d(real).realness.mean() + 10 * penalty


def supervised(networks: Networks, batch: Batch) -> tuple[Tensor, Images]:
    """Cross entropy alone."""
    assert batch.source.label is not None
    return cross_entropy(networks["head"](networks["encoder"](batch.source.image)), batch.source.label), ()


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """As one would write it; equal to ours where every image has as many labelled pixels."""
    large = functional.interpolate(logits, label.shape[-2:], mode="bilinear", align_corners=False)
    return functional.cross_entropy(large, label, ignore_index=255)


MAIN, I2I = "gta5_to_cityscapes", "gta5_to_cityscapes_i2i"
CYCLEGAN = "CycleGAN, ResNet-9 generators, 70x70 PatchGAN"
CASES = {
    "translation": Case(CYCLEGAN, f"{MAIN}_cyclegan", "translate", 1, cyclegan, least_squares),
    "alignment": Case("I2I objective, dilated ResNet-34", I2I, "i2i", 1, i2i, wasserstein),
    "densenet": Case("I2I objective, dilated DenseNet-121", f"{I2I}_densenet", "i2i", 1, i2i, wasserstein),
    "supervised": Case("supervised, dilated ResNet-34", MAIN, "source", 2, supervised),
}


class Times(NamedTuple):
    """Seconds of steps, and operations of one."""

    plain: list[float]  # ours that are not logged
    logged: list[float]
    loop: list[float]
    operations: float


def take_turns(case: Case, rounds: int, size: int) -> Times:
    """Two of our steps, the second of them logged, then one of the loop's, and so on; the first turns warm up."""
    memory, config = stage_of(case.pipeline, case.stage)
    ours = memory.assembled(config)
    theirs = copy.deepcopy(ours.modules)
    for module in theirs.values():
        module.train()
    step, stream = by_hand(case, config, theirs), noise(case.batch, (size, size))
    spent: list[float] = []
    loop: list[float] = []
    operations = Operations()

    def batches() -> Iterator[Batch]:
        for turn in range(WARM_UP + rounds):
            for batch in (next(stream), next(stream)):
                start = time.perf_counter()
                yield batch  # `fit` comes back for the next one when all of its step is done
                spent.append(time.perf_counter() - start)
            with nullcontext() if turn else operations:
                loop.append(seconds(step, batch).clock)
        yield batch  # of the step that ends `fit`, which is logged whatever its number

    steps = LOGGED * (WARM_UP + rounds) + 1
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        path, session, policy = Path(folder), Session(cpu=True), HealthPolicy(classes=load("cityscapes").classes)
        recorder = Recorder(path, case.title, ours, session, steps=steps, log_every=LOGGED, policy=policy)
        checkpointer = Checkpointer(path, session, save_every=steps, steps=steps)
        profiler = Profiler(path, recorder.log.progress, 0, steps, session.device, enabled=False)
        fit(ours, batches(), session, Schedule(steps), recorder, checkpointer, profiler)
    measured = spent[LOGGED * WARM_UP :]
    return Times(measured[::LOGGED], measured[1::LOGGED], loop[WARM_UP:], float(operations.total))


def peak() -> float:
    """Operations a second of a 3x3 convolution of 256 by 256 maps of 64x64, batch 4, forward and backward."""
    layer = nn.Conv2d(256, 256, 3, padding=1, bias=False)
    x = torch.randn(4, 256, 64, 64, requires_grad=True)
    median = medians({"convolution": lambda: layer(x).sum().backward()}, 5, warm_up=1)["convolution"]
    return 3 * 2 * 256 * 256 * 9 * x.numel() / 256 / median


def measure(rounds: int = 7, size: int = 128, only: tuple[str, ...] = tuple(CASES)) -> list[Figure]:
    """For each training speed compared with the loop, share of the peak, and the price of its log."""
    figures, highest, every = [], peak(), RuntimeConfig().log_every
    for case in (CASES[name] for name in only):
        times = take_turns(case, rounds, size)
        plain, logged, loop = (statistics.median(each) for each in times[:3])
        ratio = statistics.median(theirs / own for own, theirs in zip(times.plain, times.loop, strict=True))
        what = f"{case.title}, {size}x{size}, batch {case.batch}"
        threads = f"{torch.get_num_threads()} threads"
        figures.append(Figure(what, 1 / plain, "steps/s", ratio, "loop by hand", 1 / loop, LEAST, note=threads))
        share = 100 * times.operations / plain / highest
        note = f"{times.operations / 1e9:.0f} GFLOP a step, peak {highest / 1e9:.0f} GFLOP/s"
        figures.append(Figure(f"{what}: share of the peak of a large convolution", share, "%", share, note=note))
        price = 100 * (logged / plain - 1) / every
        note = f"a logged step takes {logged / plain:.2f} times another; one in {every} is by default"
        what = f"{what}: what its log costs"
        figures.append(Figure(what, price, "%", price, bound=MOST_LOGGED, sense="at most", note=note))
    return figures
