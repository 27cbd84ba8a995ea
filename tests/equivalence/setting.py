"""Tiny networks in float64, two small batches, and one step of a method on them."""

import copy
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor

from pipelines.definition.schema import MethodConfig
from pipelines.networks import needed_networks
from segda.batch import Batch, DomainBatch
from segda.label_space import LabelSpace
from segda.networks.networks import Networks
from segda.networks.networks import build as build_networks
from segda.objectives import objective as objectives
from segda.objectives.objective import Objective
from segda.tasks.segmentation import build as build_task
from tests.equivalence.class_sizes import SIZES

METHODS = Path(__file__).parents[2] / "configs" / "methods"
NAMES = sorted(path.stem for path in METHODS.glob("*.yaml") if "terms" in yaml.safe_load(path.read_text()))
# Statistics of a batch are not a mean over its samples, so they depend on how it is split over processes.
BATCH_STATISTICS = {
    name
    for name in NAMES
    if re.search("feature_discrepancy:|minimum_class_confusion:", (METHODS / f"{name}.yaml").read_text())
}
SEED = 7
SIZE = 32
CLASSES = 4
PROGRESS = 0.3
TEACHER_SHARPNESS = 5.2
SPACE = LabelSpace("shapes", ("a", "b", "c", "d"), ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)), things=("b", "d"))


def method(name: str) -> dict[str, Any]:
    return yaml.safe_load((METHODS / f"{name}.yaml").read_text())


class TinySampler(torch.nn.Module):
    """In place of a real one, whose batch statistics would tie the samples of a batch together."""

    noise = 5

    def __init__(self) -> None:
        super().__init__()
        self.shared = torch.nn.Linear(self.noise, 6)
        self.tails = torch.nn.ModuleDict({name: torch.nn.Linear(6, 3 * 16) for name in ("source", "target")})

    def forward(self, noise: Tensor, domain: str) -> Tensor:
        coarse = self.tails[domain](self.shared(noise).tanh()).tanh().view(-1, 3, 4, 4)
        return torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")


def networks(config: dict[str, Any], seed: int = 0, width: int = 3) -> Networks:
    """Without batch statistics, so that a step is a sum over samples."""
    needs = needed_networks(MethodConfig.model_validate(config))
    terms = config["terms"]
    encoder = {"name": "small", "width": width, "blocks": 1, "norm": "none"}
    if config["tied"] == "partly":
        encoder = {"name": "coupled", "size": SIZE, "features": [3, 4], "hidden": 5}
    head: dict[str, Any] = {"name": "small", "width": 4, "norm": "none"}
    if "detail" in terms:
        head = {"name": "hrda", "head": head, "width": 4, "norm": "none"}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        built = build_networks(
            needs, classes=CLASSES, tied=config["tied"], encoder=encoder,
            head=head,
            decoder={"name": "transposed", "features": [6, 5, 4], "shared_layers": 1, "norm": "none"},
            discriminators={
                "image": {"name": "semantic_patch" if "semantic_discrimination" in terms else "patch", "width": 3},
                "feature": {"name": "feature", "width": 5},
                "logits": {"name": "fully_convolutional", "width": 3, "layers": 2},
                "conditional": {"name": "feature", "width": 5},
                "latent": {"name": "feature", "width": 5},
                "pair": {"name": "patch", "width": 3},
                "class_feature": {"name": "class_feature", "width": 6},
            },
            rebuilder={"name": "transformer", "width": 8, "blocks": 1, "heads": 2},
            sampler={"name": "coupled", "noise": 5, "width": 1},
        )  # fmt: skip
        if "sampler" in built.modules:
            built = Networks({**built.modules, "sampler": TinySampler()}, built.tied)
    built.freeze(config.get("frozen", []))
    for module in built.modules.values():
        module.double()
    return built


def teacher_of(student: Networks) -> Networks:
    """The student, a little moved, without gradients, and sure enough of itself to pass the threshold in places."""
    modules = copy.deepcopy(student.modules)
    for module in modules.values():
        module.requires_grad_(False)
    for parameter in modules["head"].parameters():
        parameter.mul_(TEACHER_SHARPNESS)
    return Networks(modules, student.tied)


def judge() -> Networks:
    """A classifier of its own, tied as a stage on source labels leaves it, without gradients.

    Wider, since of three units that see nearly grey translations all may be off.
    """
    built = networks({**method("source_only")}, seed=11, width=8)
    for module in built.modules.values():
        module.requires_grad_(False)
    return built


def pretrained(config: dict[str, Any]) -> Networks:
    """An encoder with weights of its own, frozen."""
    built = networks(config, seed=23)
    built.modules = {name: module for name, module in built.modules.items() if name in ("encoder", "encoder.source")}
    built.freeze(built.modules)
    return built


def batch(size: int = 4, start: int = 0) -> Batch:
    """Smooth images; labels in blocks, with ignored pixels whose number differs from image to image."""
    generator = torch.Generator().manual_seed(100 + start)

    def images() -> Tensor:
        coarse = torch.rand(size, 3, 8, 8, generator=generator, dtype=torch.float64) * 2 - 1
        return torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")

    label = torch.randint(0, CLASSES, (size, 4, 4), generator=generator)
    label = label.repeat_interleave(SIZE // 4, 1).repeat_interleave(SIZE // 4, 2)
    for index, image in enumerate(label):
        image[: 3 * index + 1] = 255
    source = DomainBatch(images(), label, torch.arange(start, start + size), [f"s{i}" for i in range(size)])
    target = DomainBatch(images(), None, torch.arange(start, start + size) + 1000, [f"t{i}" for i in range(size)])
    return Batch(source, target)


def part(whole: Batch, rows: slice) -> Batch:
    def cut(samples: DomainBatch) -> DomainBatch:
        label = None if samples.label is None else samples.label[rows]
        return DomainBatch(samples.image[rows], label, samples.position[rows], samples.key[rows])

    assert whole.target is not None
    return Batch(cut(whole.source), cut(whole.target))


class Step(NamedTuple):
    """What one step computed: both totals, and the gradient of every parameter by its full name (`None`: none)."""

    generator: float
    discriminator: float | None
    gradients: dict[str, Tensor | None]


def gradients_of(built: Networks) -> dict[str, Tensor | None]:
    return {
        f"{name}/{key}": None if parameter.grad is None else parameter.grad.clone()
        for name, module in built.modules.items()
        for key, parameter in module.named_parameters()
    }


def objective_of(
    config: dict[str, Any],
    built: Networks,
    gather: Callable[[Tensor], Tensor] | None = None,
    gather_samples: Callable[[Tensor], Tensor] | None = None,
) -> Objective:
    terms = objectives.build(config["terms"])
    needs = objectives.needs(terms)
    chosen: dict[str, Any] = {name: teacher_of(built) for name in {"teacher"} & needs}
    chosen.update({name: judge() for name in {"judge"} & needs})
    chosen.update({name: pretrained(config) for name in {"pretrained"} & needs})
    chosen.update(dict.fromkeys({"class_sizes"} & needs, SIZES))
    chosen.update({"gather": gather} if gather else {})
    chosen.update({"gather_samples": gather_samples} if gather_samples else {})
    return Objective(terms, built, build_task(SPACE), seed=SEED, **chosen)


def step(objective: Objective, samples: Batch, progress: float = PROGRESS) -> Step:
    """As the engine does it, without the optimizers."""
    for module in objective.networks.modules.values():
        module.zero_grad(set_to_none=True)
    p = objective.forward(samples, progress)
    generator = torch.stack(list(objective.generator_losses(p).values())).sum()
    generator.backward()
    losses = list(objective.discriminator_losses(p).values())
    discriminator = torch.stack(losses).sum() if losses else None
    if discriminator is not None:
        discriminator.backward()
    return Step(
        generator.item(), None if discriminator is None else discriminator.item(), gradients_of(objective.networks)
    )


def assert_same(ours: Step, theirs: Step, frozen: Collection[str] = ()) -> None:
    """Equal values, and equal gradients for every parameter, up to float64 rounding."""
    torch.testing.assert_close(ours.generator, theirs.generator, rtol=1e-9, atol=1e-12)
    assert (ours.discriminator is None) == (theirs.discriminator is None)
    if ours.discriminator is not None:
        torch.testing.assert_close(ours.discriminator, theirs.discriminator, rtol=1e-9, atol=1e-12)
    assert ours.gradients.keys() == theirs.gradients.keys()
    for name, gradient in ours.gradients.items():
        expected = theirs.gradients[name]
        if name.split("/")[0] in frozen:
            assert gradient is None, f"{name} is frozen but received a gradient"
            continue
        assert gradient is not None, f"{name} received no gradient"
        assert expected is not None, f"{name} should receive no gradient"
        torch.testing.assert_close(gradient, expected, rtol=1e-7, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}")
