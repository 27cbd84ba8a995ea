"""A method's objective for networks, data and a training loop of one's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segda import label_space
from segda.batch import DOMAINS, Batch, DomainBatch, moved
from segda.config.lookup import module, nearest
from segda.errors import ConfigError, DataError
from segda.label_space import IGNORE_INDEX, LabelSpace
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import GIVEN, Networks, Tied
from segda.objectives import objective as objectives
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.objective import Objective
from segda.objectives.term import Term

Player = Literal["generators", "discriminators"]


@dataclass(frozen=True)
class Method:
    """A method: a table of weighted terms; `segda.method` returns one.

    Attributes:
        title: the method's name.
        source: where it is published.
        tied: one encoder for both domains (`encoder`) or one for each (`encoder.source`, `encoder.target`); `partly`:
            one whose `forward` takes the domain, too.
        frozen: names of the networks that do not learn.
        terms: the terms by name.
    """

    title: str
    source: str
    tied: Tied
    frozen: tuple[str, ...]
    terms: Mapping[str, Term]

    @property
    def networks(self) -> list[str]:
        """The names of the networks that `objective` takes, sorted."""
        names: set[str] = {"encoder"}
        for need in objectives.needs(self.terms, self.frozen) - GIVEN - {"semantic", "detail"}:
            names.add("decoder" if need.startswith("decoder.") else need)
        return sorted((names - {"encoder"}) | {f"encoder.{d}" for d in DOMAINS} if self.tied is False else names)

    def objective(
        self,
        networks: Mapping[str, nn.Module],
        classes: int | Sequence[str] | LabelSpace,
        steps: int,
        *,
        task: Literal["segmentation", "classification"] = "segmentation",
        seed: int = 0,
        teacher: Mapping[str, nn.Module] | None = None,
        judge: Mapping[str, nn.Module] | None = None,
        pretrained: Mapping[str, nn.Module] | None = None,
        class_sizes: ClassSizes | None = None,
    ) -> "StepObjective":
        """The method's losses on networks of one's own.

        Networks see images in `[-1, 1]`. An encoder `[B, 3, H, W]` returns a map `[B, C, h, w]`, or a list of maps,
        fine to coarse, of which methods align the last; the head takes what the encoder returns and gives logits
        `[B, K, h, w]`; a discriminator `[B, C, h, w]` gives scores `[B, 1, h, w]`, high for the source. All of segda's
        own fit.

        Args:
            networks: a module for each of `self.networks`, on one device.
            classes: how many there are, or their names, or a label space.
            steps: of the whole training: weights that rise depend on the share that is done.
            task: one label a pixel, or one an image.
            seed: of what the method draws at random.
            teacher: an average of encoder and head, of methods that learn from one; see
                `segda.engine.ema.MovingAverage`, whose `update` follows each step.
            judge: a finished encoder and head, of methods that need one.
            pretrained: the encoder as it was before training, of methods that need it.
            class_sizes: of the source images, of methods that need them; see `segda.engine.class_sizes.measure`.

        Raises:
            ConfigError: a network is missing, or there is one too many; a teacher, judge or the like is missing.
        """
        for name in self.networks:
            if name not in networks:
                raise ConfigError(
                    f"{self.title}: needs a network {name!r}, found {', '.join(sorted(networks)) or 'none'}; it takes "
                    f"{', '.join(self.networks)}"
                )
        for name in networks:
            if name not in self.networks:
                raise ConfigError(f"{self.title}: trains no network {name!r}; {nearest(name, self.networks)}")
        if steps < 1:
            raise ConfigError(f"steps: found {steps}; expected at least 1")
        built = _adapted(networks, self.tied)
        built.freeze(self.frozen)
        given: dict[str, Any] = {}
        for name, modules in (("teacher", teacher), ("judge", judge), ("pretrained", pretrained)):
            if modules is not None:
                if any(module is own for module in modules.values() for own in networks.values()):
                    raise ConfigError(f"{name}: is one of the networks that are trained; give a copy: copy.deepcopy")
                given[name] = _adapted(modules, self.tied)
                given[name].freeze(given[name].modules)
        chosen = module("segda.tasks", task).build(_space(classes))
        objective = Objective(self.terms, built, chosen, seed, class_sizes=class_sizes, **given)
        return StepObjective(objective, steps)


class StepObjective:
    """The losses of one step after another, both players' together.

    Attributes:
        objective: the sum of terms, for what is not offered here.
        steps: of the whole training.
        done: steps made so far; set it where a training is resumed.
    """

    def __init__(self, objective: Objective, steps: int) -> None:
        """Begin a training; see `Method.objective`."""
        self.objective, self.steps, self.done = objective, steps, 0

    def parameters(self, player: Player | None = None) -> list[nn.Parameter]:
        """What an optimizer trains: of both players, or of one.

        The gradients of both are taken before either is updated, so that one optimizer for all is as good as two.
        """
        generators, discriminators = self.objective.players()
        names = {"generators": generators, "discriminators": discriminators}.get(
            str(player), generators + discriminators
        )
        modules = (self.objective.networks.modules[name] for name in names)
        return [parameter for each in modules for parameter in each.parameters() if parameter.requires_grad]

    def backward(
        self,
        source: Tensor,
        label: Tensor | None,
        target: Tensor | None,
        *,
        backward: Callable[[Tensor], None] = Tensor.backward,
    ) -> dict[str, Tensor]:
        """Add the gradients of one step's losses to those of the networks; the optimizer's step is the caller's.

        Args:
            source: images `[B, 3, H, W]`, float32 in `[0, 1]` or uint8, on any device; the networks see `[-1, 1]`.
            label: the source's labels, whole numbers `[B, H, W]`, or `[B]` for classification; 255 is ignored.
            target: images as `source`, of which B and size may differ.
            backward: called with each player's loss, such as Accelerate's `accelerator.backward`.

        Returns:
            Each term's weighted loss by its name, detached; a discriminator's as `<term> (discriminator)`.

        Raises:
            DataError: images or labels of another shape, kind of number or range of values.
            ConfigError: the method uses labels or target images, and there are none.
        """
        objective = self.objective
        if self.done:
            objective.clip_discriminators()  # of the update that the caller has made since
        forward = objective.forward(self._batch(source, label, target), min(self.done / self.steps, 1.0))
        generator = objective.generator_losses(forward)
        backward(torch.stack(list(generator.values())).sum())
        discriminator = objective.discriminator_losses(forward)
        if discriminator:
            backward(torch.stack(list(discriminator.values())).sum())
        self.done += 1
        losses = generator | {f"{name} (discriminator)": loss for name, loss in discriminator.items()}
        return {name: loss.detach() for name, loss in losses.items()}

    def _batch(self, source: Tensor, label: Tensor | None, target: Tensor | None) -> Batch:
        modules = self.objective.networks.modules.values()
        device = next(parameter.device for each in modules for parameter in each.parameters())
        return Batch(
            self._samples("source", source, label, device),
            None if target is None else self._samples("target", target, None, device),
        )

    def _samples(self, name: str, image: Tensor, label: Tensor | None, device: torch.device) -> DomainBatch:
        size = len(image)
        position = torch.arange(self.done * size, (self.done + 1) * size)  # by which a method draws at random
        return DomainBatch(
            moved(_checked_images(name, image), device),
            None if label is None else moved(_checked_labels(label, image, self.objective), device),
            position,
            [f"{name} {index}" for index in position.tolist()],
        )


class _Adapted(nn.Module):
    """A network of one's own behind segda's interface."""

    def __init__(self, own: nn.Module) -> None:
        super().__init__()
        self.own = own


class _Encoder(_Adapted):
    single = False  # whether it returns one map, not a list

    def forward(self, *inputs: Any) -> Any:
        features = self.own(*inputs)
        self.single = isinstance(features, Tensor)
        return [features] if self.single else list(features)


class _Head(_Adapted):
    def __init__(self, own: nn.Module, encoders: list[_Encoder]) -> None:
        super().__init__(own)
        self.encoders = tuple(encoders)  # a tuple, so that they do not count as modules of the head
        self.detail_multiple = getattr(own, "detail_multiple", 0)

    def forward(self, features: list[Tensor], *inputs: Any) -> Any:
        single = any(encoder.single for encoder in self.encoders)
        return self.own(features[-1] if single else features, *inputs)


class _Discriminator(_Adapted):
    def forward(self, x: Tensor) -> DiscriminatorOutput:
        output = self.own(x)
        return DiscriminatorOutput(output) if isinstance(output, Tensor) else output


def _adapted(networks: Mapping[str, nn.Module], tied: Tied) -> Networks:
    modules: dict[str, nn.Module] = {
        name: _Encoder(own) for name, own in networks.items() if name.startswith("encoder")
    }
    encoders: list[Any] = list(modules.values())
    for name, own in networks.items():
        if name == "head":
            modules[name] = _Head(own, encoders)
        elif name.startswith("discriminator."):
            modules[name] = _Discriminator(own)
        elif name not in modules:
            modules[name] = own
    return Networks(modules, tied)


def _space(classes: int | Sequence[str] | LabelSpace) -> LabelSpace:
    if isinstance(classes, LabelSpace):
        return classes
    names = [f"class {index}" for index in range(classes)] if isinstance(classes, int) else list(classes)
    return label_space.own(classes=names)


def _checked_images(name: str, image: Tensor) -> Tensor:
    """Images in `[-1, 1]`, after a check of shape and range."""
    if image.dim() != 4 or image.shape[1] != 3 or image.numel() == 0:
        turn = "; its channels stand last: use permute(0, 3, 1, 2)" if image.shape[-1:] == (3,) else ""
        raise DataError(f"{name} images: shape {list(image.shape)}; expected [B, 3, H, W]{turn}")
    if image.dtype == torch.uint8:
        return image.float() / 127.5 - 1
    if not image.is_floating_point():
        raise DataError(f"{name} images: {image.dtype} numbers; expected uint8 (0 to 255), or floats in [0, 1]")
    low, high = image.min().item(), image.max().item()
    if not (low >= 0 and high <= 1):  # false for NaN
        raise DataError(
            f"{name} images: floats from {low:.4g} to {high:.4g}; expected [0, 1]: divide 0 to 255 by 255, and let the "
            "encoder subtract mean and deviation"
        )
    return image.float() * 2 - 1


def _checked_labels(label: Tensor, image: Tensor, objective: Objective) -> Tensor:
    """Labels as int64, after a check of shape and range."""
    maps = "label_map" in objective.task.offers
    expected = (image.shape[0], *image.shape[2:]) if maps else (image.shape[0],)
    if tuple(label.shape) != tuple(expected):
        raise DataError(f"labels: shape {list(label.shape)} of images {list(image.shape)}; expected {list(expected)}")
    if label.is_floating_point() or label.dtype == torch.bool:
        raise DataError(f"labels: {label.dtype} numbers; expected whole numbers, class indices")
    count = objective.task.space.count
    valid = label[label != IGNORE_INDEX]
    if valid.numel() and not (valid.min() >= 0 and valid.max() < count):
        raise DataError(
            f"labels: found {int(valid.min())} to {int(valid.max())} of {count} classes; expected 0 to {count - 1}, or "
            f"{IGNORE_INDEX} where ignored"
        )
    return label.long()
