"""How fast a training step is, compared with a loop of the same mathematics written by hand, and what its log costs.

Four trainings on the networks of shipped pipelines, with random parameters and random batches: CycleGAN's translation,
alignment by the I2I objective on a dilated ResNet-34 and on a dilated DenseNet-121, and supervised training. Ours is
`segda.engine.fit.fit` itself, every other step of which is logged; the loop calls the same networks, the losses are a
few lines of torch, and `torch.optim` steps as it does by default. The two take turns, two steps and one, so that both
meet a machine's better and worse moments: the ratio is the median over the turns, of steps that are not logged.

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
HISTORY = 50

Networks = Mapping[str, nn.Module]
Step = Callable[[Batch], None]


class Case(NamedTuple):
    """One training: its title in the table, a stage of a shipped pipeline, images a step, and the loop by hand."""

    title: str
    pipeline: str
    stage: str
    batch: int
    by_hand: Callable[[TrainingConfig, Networks], Step]


def mixing(batch: Batch, domain: Domain) -> Tensor:
    """Where `wgan_gp` penalises, as a loop would draw it: `[B]` in `[0, 1)`."""
    return torch.rand(len(batch.source.image))


def adam(config: TrainingConfig, *networks: nn.Module) -> torch.optim.Adam:
    """The optimizer as one would make it."""
    parameters = nn.ModuleList(networks).parameters()
    return torch.optim.Adam(parameters, lr=config.optimizer.learning_rate, betas=config.optimizer.betas)


def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One update."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def translation(config: TrainingConfig, networks: Networks) -> Step:
    """CycleGAN: least squares against discriminators with a history, cycle 10, identity 5."""
    encode_source, encode_target, decode = networks["encoder.source"], networks["encoder.target"], networks["decoder"]
    discriminators = nn.ModuleList(networks[f"discriminator.{domain}"] for domain in DOMAINS)
    first, second = adam(config, encode_source, encode_target, decode), adam(config, discriminators)
    history: tuple[list[Tensor], list[Tensor]] = ([], [])

    def remembered(earlier: list[Tensor], images: Tensor) -> Tensor:
        shown = []
        for image in images.detach():
            if len(earlier) < HISTORY:
                earlier.append(image.clone())
            elif torch.rand(()) < 0.5:
                index = int(torch.randint(HISTORY, ()))
                earlier[index], image = image.clone(), earlier[index]
            shown.append(image)
        return torch.stack(shown)

    def step(batch: Batch) -> None:
        assert batch.target is not None
        x, y = batch.source.image, batch.target.image
        discriminators.requires_grad_(False)
        like_target, like_source = decode(encode_source(x), "target"), decode(encode_target(y), "source")
        fool = (discriminators[0](like_source).realness - 1).square().mean()
        fool = fool + (discriminators[1](like_target).realness - 1).square().mean()
        cycle = functional.l1_loss(decode(encode_target(like_target), "source"), x)
        cycle = cycle + functional.l1_loss(decode(encode_source(like_source), "target"), y)
        identity = functional.l1_loss(decode(encode_target(x), "source"), x)
        identity = identity + functional.l1_loss(decode(encode_source(y), "target"), y)
        update(first, fool + 10 * cycle + 5 * identity)
        discriminators.requires_grad_(True)
        loss = torch.zeros(())
        for d, real, fake, earlier in zip(discriminators, (x, y), (like_source, like_target), history, strict=True):
            right = (d(real).realness - 1).square().mean()
            loss = loss + (right + d(remembered(earlier, fake)).realness.square().mean()) / 2
        update(second, loss)

    return step


def alignment(config: TrainingConfig, networks: Networks) -> Step:
    """The I2I objective of GTA5: classification, Wasserstein translation, identity, translated classification."""
    encode, decode, classify = networks["encoder"], networks["decoder"], networks["head"]
    discriminators = nn.ModuleList(networks[f"discriminator.{domain}"] for domain in DOMAINS)
    first, second = adam(config, encode, decode, classify), adam(config, discriminators)

    def step(batch: Batch) -> None:
        assert batch.target is not None
        assert batch.source.label is not None
        x, y, label = batch.source.image, batch.target.image, batch.source.label
        discriminators.requires_grad_(False)
        source, target = encode(x), encode(y)
        like_target, like_source = decode(source, "target"), decode(target, "source")
        again = classify(encode(like_target.detach()))
        identity = functional.l1_loss(decode(source, "source"), x) + functional.l1_loss(decode(target, "target"), y)
        fool = -discriminators[0](like_source).realness.mean() - discriminators[1](like_target).realness.mean()
        loss = cross_entropy(classify(source), label) + 0.04 * fool + 0.2 * identity + 0.1 * cross_entropy(again, label)
        update(first, loss)
        discriminators.requires_grad_(True)
        loss = torch.zeros(())
        for domain, d, real, fake in zip(DOMAINS, discriminators, (x, y), (like_source, like_target), strict=True):
            fake = fake.detach()
            loss = loss + d(fake).realness.mean() - d(real).realness.mean()
            share = mixing(batch, domain).to(real).view(-1, 1, 1, 1)
            between = (share * real + (1 - share) * fake).requires_grad_()
            value = d(between).realness.flatten(1).mean(dim=1).sum()
            (gradient,) = torch.autograd.grad(value, between, create_graph=True)
            loss = loss + 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        update(second, loss)

    return step


def supervised(config: TrainingConfig, networks: Networks) -> Step:
    """Cross entropy alone."""
    encode, classify, chosen = networks["encoder"], networks["head"], config.optimizer
    groups: list[dict[str, Any]] = [
        {"params": list(encode.parameters()), "lr": chosen.learning_rate * chosen.encoder_factor},
        {"params": list(classify.parameters())},
    ]
    optimizer = torch.optim.AdamW(groups, lr=chosen.learning_rate, betas=chosen.betas, weight_decay=chosen.weight_decay)

    def step(batch: Batch) -> None:
        assert batch.source.label is not None
        update(optimizer, cross_entropy(classify(encode(batch.source.image)), batch.source.label))

    return step


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """As one would write it; equal to ours where every image has as many labelled pixels."""
    large = functional.interpolate(logits, label.shape[-2:], mode="bilinear", align_corners=False)
    return functional.cross_entropy(large, label, ignore_index=255)


MAIN = "gta5_to_cityscapes"
CASES = {
    "translation": Case(
        "CycleGAN, ResNet-9 generators, 70x70 PatchGAN", f"{MAIN}_cyclegan", "translate", 1, translation
    ),
    "alignment": Case("I2I objective, dilated ResNet-34", f"{MAIN}_i2i", "i2i", 1, alignment),
    "alignment_densenet": Case("I2I objective, dilated DenseNet-121", f"{MAIN}_i2i_densenet", "i2i", 1, alignment),
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
    step, stream = case.by_hand(config, theirs), noise(case.batch, (size, size))
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
        figures.append(
            Figure(f"{what}: what its log costs", price, "%", price, bound=MOST_LOGGED, sense="at most", note=note)
        )
    return figures
