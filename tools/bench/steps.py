"""How fast a training step is, beside a loop of the same mathematics written by hand, and what a logged step costs.

Four trainings on the networks of shipped pipelines, with random parameters and random batches: CycleGAN's translation,
alignment by the I2I objective on a dilated ResNet-34 and on a dilated DenseNet-121, and supervised training. Ours is
`segda.engine.fit.fit` itself, every other step of which is logged; the loop calls the same networks, the losses are a
few lines of torch, and `torch.optim` steps as it does by default. The two take turns, two steps and one, so that both
meet a machine's better and worse moments: the ratio is the median over the turns, of steps that are not logged.

The share of the measured peak is the floating-point operations of a step (as torch counts them) a second, over those of
one large convolution, forward and backward, on the same threads.

Run:  python -m tools.bench.steps [--json FILE] [--rounds 7] [--size 128] [--only supervised]
"""

import argparse
import copy
import statistics
import sys
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
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pipelines import pipeline, training
from pipelines.stage import Method, Runtime, TrainingConfig
from segda.batch import Batch, Domain, DomainBatch
from segda.engine import optimizers
from segda.engine.fit import fit
from segda.engine.health import Care
from segda.engine.session import Session
from segda.engine.training import Training
from segda.objectives import objective as objectives
from segda.objectives.objective import Objective
from tools.bench import figure
from tools.bench.figure import Figure

PART = "training steps"
LOGGED = 2
"""In the benchmark every second step is logged, so that those and the others are met under the same conditions."""
WARM_UP = 2
"""Turns that are not measured: optimizers make their states in the first."""
LEAST = 0.97
MOST_LOGGED = 2.0
HISTORY = 50


Networks = Mapping[str, nn.Module]
Step = Callable[[Batch], None]


class Case(NamedTuple):
    """One training.

    Attributes:
        title: what it is called in the table.
        pipeline: a shipped one.
        stage: of the pipeline; its networks, method and optimizers are taken.
        batch: images of each domain a step.
        by_hand: makes the loop's step from networks and the draws of a gradient penalty.
    """

    title: str
    pipeline: str
    stage: str
    batch: int
    by_hand: Callable[[TrainingConfig, Networks, Callable[[Batch, Domain], Tensor]], Step]


def any_mixing(batch: Batch, domain: Domain) -> Tensor:
    """Where `wgan_gp` penalises, as a loop would draw it: `[B]` in `[0, 1)`."""
    return torch.rand(len(batch.source.image))


def translation(config: TrainingConfig, networks: Networks, mixing: Callable[[Batch, Domain], Tensor]) -> Step:
    """CycleGAN: least squares against discriminators with a history, cycle 10, identity 5."""
    encode_source, encode_target, decode = networks["encoder.source"], networks["encoder.target"], networks["decoder"]
    judges = {"source": networks["discriminator.source"], "target": networks["discriminator.target"]}
    weights = [parameter for judge in judges.values() for parameter in judge.parameters()]
    generators = [p for name in ("encoder.source", "encoder.target", "decoder") for p in networks[name].parameters()]
    rate, betas = config.optimizer.learning_rate, config.optimizer.betas
    first = torch.optim.Adam(generators, lr=rate, betas=betas)
    second = torch.optim.Adam(weights, lr=rate, betas=betas)
    history: dict[str, list[Tensor]] = {"source": [], "target": []}

    def remembered(domain: str, images: Tensor) -> Tensor:
        shown = []
        for image in images.detach():
            earlier = history[domain]
            if len(earlier) < HISTORY:
                earlier.append(image.clone())
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(HISTORY, ()))
                earlier[place], image = image.clone(), earlier[place]
            shown.append(image)
        return torch.stack(shown)

    def step(batch: Batch) -> None:
        assert batch.target is not None
        x, y = batch.source.image, batch.target.image
        for parameter in weights:
            parameter.requires_grad_(False)
        like_target, like_source = decode(encode_source(x), "target"), decode(encode_target(y), "source")
        fool = (judges["target"](like_target).realness - 1).square().mean()
        fool = fool + (judges["source"](like_source).realness - 1).square().mean()
        cycle = functional.l1_loss(decode(encode_target(like_target), "source"), x)
        cycle = cycle + functional.l1_loss(decode(encode_source(like_source), "target"), y)
        identity = functional.l1_loss(decode(encode_target(x), "source"), x)
        identity = identity + functional.l1_loss(decode(encode_source(y), "target"), y)
        first.zero_grad()
        (fool + 10 * cycle + 5 * identity).backward()
        first.step()
        for parameter in weights:
            parameter.requires_grad_(True)
        second.zero_grad()
        told = torch.zeros(())
        for domain, real, fake in (("source", x, like_source), ("target", y, like_target)):
            judge = judges[domain]
            right = (judge(real).realness - 1).square().mean()
            told = told + (right + judge(remembered(domain, fake)).realness.square().mean()) / 2
        told.backward()
        second.step()

    return step


def alignment(config: TrainingConfig, networks: Networks, mixing: Callable[[Batch, Domain], Tensor]) -> Step:
    """The I2I objective of GTA5: classification, Wasserstein translation, identity, translated classification."""
    encode, decode, classify = networks["encoder"], networks["decoder"], networks["head"]
    judges = {"source": networks["discriminator.source"], "target": networks["discriminator.target"]}
    weights = [parameter for judge in judges.values() for parameter in judge.parameters()]
    rate, betas = config.optimizer.learning_rate, config.optimizer.betas
    generators = [parameter for network in (encode, decode, classify) for parameter in network.parameters()]
    first = torch.optim.Adam(generators, lr=rate, betas=betas)
    second = torch.optim.Adam(weights, lr=rate, betas=betas)

    def step(batch: Batch) -> None:
        assert batch.target is not None
        assert batch.source.label is not None
        x, y, label = batch.source.image, batch.target.image, batch.source.label
        for parameter in weights:
            parameter.requires_grad_(False)
        source, target = encode(x), encode(y)
        like_target, like_source = decode(source, "target"), decode(target, "source")
        again = classify(encode(like_target.detach()))
        identity = functional.l1_loss(decode(source, "source"), x) + functional.l1_loss(decode(target, "target"), y)
        fool = -judges["target"](like_target).realness.mean() - judges["source"](like_source).realness.mean()
        loss = cross_entropy(classify(source), label) + 0.04 * fool + 0.2 * identity + 0.1 * cross_entropy(again, label)
        first.zero_grad()
        loss.backward()
        first.step()
        for parameter in weights:
            parameter.requires_grad_(True)
        second.zero_grad()
        told = torch.zeros(())
        for domain, real, fake in (("source", x, like_source.detach()), ("target", y, like_target.detach())):
            judge = judges[domain]
            told = told + judge(fake).realness.mean() - judge(real).realness.mean()
            share = mixing(batch, "source" if domain == "source" else "target").to(real).view(-1, 1, 1, 1)
            between = (share * real + (1 - share) * fake).requires_grad_()
            value = judge(between).realness.flatten(1).mean(dim=1).sum()
            (gradient,) = torch.autograd.grad(value, between, create_graph=True)
            told = told + 10 * (gradient.flatten(1).norm(dim=1) - 1).square().mean()
        told.backward()
        second.step()

    return step


def supervised(config: TrainingConfig, networks: Networks, mixing: Callable[[Batch, Domain], Tensor]) -> Step:
    """Cross entropy alone."""
    encode, classify = networks["encoder"], networks["head"]
    chosen = config.optimizer
    rate = chosen.learning_rate
    groups: list[dict[str, Any]] = [
        {"params": list(encode.parameters()), "lr": rate * chosen.encoder_factor},
        {"params": list(classify.parameters())},
    ]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=chosen.betas, weight_decay=chosen.weight_decay)

    def step(batch: Batch) -> None:
        assert batch.source.label is not None
        optimizer.zero_grad()
        cross_entropy(classify(encode(batch.source.image)), batch.source.label).backward()
        optimizer.step()

    return step


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """As one would write it; equal to ours where every image has as many labelled pixels."""
    large = functional.interpolate(logits, label.shape[-2:], mode="bilinear", align_corners=False)
    return functional.cross_entropy(large, label, ignore_index=255)


CASES = {
    "translation": Case(
        "CycleGAN, ResNet-9 generators, 70x70 PatchGAN", "gta5_to_cityscapes_cyclegan", "translate", 1, translation
    ),
    "alignment": Case("I2I objective, dilated ResNet-34", "gta5_to_cityscapes_i2i", "i2i", 1, alignment),
    "alignment_densenet": Case(
        "I2I objective, dilated DenseNet-121", "gta5_to_cityscapes_i2i_densenet", "i2i", 1, alignment
    ),
    "supervised": Case("supervised, dilated ResNet-34", "gta5_to_cityscapes", "source", 2, supervised),
}


def stage_of(case: Case) -> tuple[TrainingConfig, Method]:
    """The stage's config and its method."""
    config = pipeline.load(case.pipeline).stages[case.stage].config
    assert isinstance(config, TrainingConfig)
    method = getattr(config, "method", None)
    assert isinstance(method, Method)
    return config, method


def assembled(config: TrainingConfig, method: Method) -> Training:
    """All that trains, as a run has it, but with random parameters whatever weights the config names."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = training.drawn(config, method)
    objective = Objective(objectives.build(method.terms), networks, training.task_of(config.task), seed=0)
    generators, discriminators = objective.players()
    modules = networks.modules
    return Training(
        objective, modules, modules,
        optimizers.build(modules, generators, **config.optimizer.model_dump()),
        optimizers.build(modules, discriminators, **config.discriminator_optimizer.model_dump()),
    )  # fmt: skip


def random_batch(count: int, size: int, classes: int, number: int) -> Batch:
    """Images of noise and labels without ignored pixels, from `number` alone."""
    generator = torch.Generator().manual_seed(number)

    def images() -> Tensor:
        return torch.rand(count, 3, size, size, generator=generator) * 2 - 1

    label = torch.randint(0, classes, (count, size, size), generator=generator)
    position = torch.arange(count) + number * count
    names = [str(place) for place in position.tolist()]
    return Batch(DomainBatch(images(), label, position, names), DomainBatch(images(), None, position, names))


class Operations(TorchDispatchMode):
    """While entered, counts the floating-point operations that torch has a formula for: convolutions, products.

    `FlopCounterMode` counts by the same formulas, but its hooks do not go with a gradient of a gradient.
    """

    total = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and add what it takes."""
        result = function(*arguments, **(options or {}))
        formula = flop_registry.get(function._overloadpacket)
        if formula is not None:
            self.total += formula(*arguments, **(options or {}), out_val=result)
        return result


class Times(NamedTuple):
    """Seconds of steps: ours that are not logged, ours that are, and the loop's; and operations of a step."""

    plain: list[float]
    logged: list[float]
    loop: list[float]
    operations: float


def take_turns(case: Case, rounds: int, size: int) -> Times:
    """Two of our steps, the second of them logged, then one of the loop's, and so on; the first turns warm up."""
    config, method = stage_of(case)
    ours = assembled(config, method)
    theirs = copy.deepcopy(dict(ours.modules))
    for module in theirs.values():
        module.train()
    step = case.by_hand(config, theirs, any_mixing)
    space = training.task_of(config.task).space
    spent: list[float] = []
    loop: list[float] = []
    operations = Operations()

    def batches() -> Iterator[Batch]:
        for turn in range(WARM_UP + rounds):
            for index in range(LOGGED):
                batch = random_batch(case.batch, size, space.count, LOGGED * turn + index)
                start = time.perf_counter()
                yield batch  # `fit` comes back for the next one when all of its step is done
                spent.append(time.perf_counter() - start)
            start = time.perf_counter()
            with nullcontext() if turn else operations:
                step(batch)
            loop.append(time.perf_counter() - start)
        yield batch  # of the step that ends `fit`, which is logged whatever its number

    steps = LOGGED * (WARM_UP + rounds) + 1
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        fit(
            ours, batches(), Session(cpu=True), folder=Path(folder), title=case.title, start=0, steps=steps,
            accumulate=1, factor=lambda step: 1.0, save_every=steps, log_every=LOGGED, care=Care(classes=space.classes),
        )  # fmt: skip
    measured = spent[LOGGED * WARM_UP :]
    return Times(measured[::LOGGED], measured[1::LOGGED], loop[WARM_UP:], float(operations.total))


def peak(repeat: int = 5) -> float:
    """Operations a second of a 3x3 convolution of 256 by 256 maps of 64x64, batch 4, forward and backward."""
    layer = nn.Conv2d(256, 256, 3, padding=1, bias=False)
    x = torch.randn(4, 256, 64, 64, requires_grad=True)
    spent = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        layer(x).sum().backward()
        spent.append(time.perf_counter() - start)
    return 3 * 2 * 256 * 256 * 9 * x.numel() / 256 / statistics.median(spent[1:])


def measure(rounds: int = 7, size: int = 128, only: tuple[str, ...] = ()) -> list[Figure]:
    """All figures: for each training speed beside the loop, share of the peak, and the price of its log.

    Args:
        rounds: turns of two steps of ours and one of the loop, after those that warm up.
        size: height and width of the images.
        only: names in `CASES`; all when empty.
    """
    found = []
    highest = peak()
    for name, case in CASES.items():
        if only and name not in only:
            continue
        times = take_turns(case, rounds, size)
        plain, logged, loop = (statistics.median(each) for each in times[:3])
        ratio = statistics.median(theirs / own for own, theirs in zip(times.plain, times.loop, strict=True))
        every = Runtime().log_every
        what = f"{case.title}, {size}x{size}, batch {case.batch}"
        threads = f"{torch.get_num_threads()} threads"
        found.append(Figure(
            PART, what, 1 / plain, "steps/s", ratio, "loop by hand", 1 / loop, LEAST, note=threads
        ))  # fmt: skip
        share = 100 * times.operations / plain / highest
        found.append(Figure(
            PART, f"{what}: share of the peak of a large convolution", share, "%", share,
            note=f"{times.operations / 1e9:.0f} GFLOP a step, peak {highest / 1e9:.0f} GFLOP/s",
        ))  # fmt: skip
        price = 100 * (logged / plain - 1) / every
        found.append(Figure(
            PART, f"{what}: what its log costs", price, "%", price, bound=MOST_LOGGED, sense="at most",
            note=f"a logged step takes {logged / plain:.2f} times another; one in {every} is by default",
        ))  # fmt: skip
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    figure.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=7, help="measured turns of two steps and one of the loop (7)")
    parser.add_argument("--size", type=int, default=128, help="height and width of the images (128)")
    parser.add_argument("--only", action="append", default=[], choices=sorted(CASES), help="repeatable")
    given = parser.parse_args()
    figure.tell(measure(given.rounds, given.size, tuple(given.only)), given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
