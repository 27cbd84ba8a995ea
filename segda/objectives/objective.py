"""The weighted sum of a method's terms, generators against discriminators.

`L = sum over terms of weight * term`, equation 7 of Murez et al. 2018 (I2I Adapt). A method is a table of weights;
nothing here depends on a method.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import record_function

from segda.batch import DOMAINS, Batch, Domain
from segda.config import lookup
from segda.config.validation import validate_options
from segda.errors import ArtefactError, ConfigError, TrainingError
from segda.networks.networks import Networks
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.forward_pass import ForwardPass
from segda.objectives.image_pool import ImagePool
from segda.objectives.term import Term
from segda.objectives.weight import weight_at
from segda.task import Task


@dataclass(eq=False)
class Objective:
    """A method's terms on networks. A step is `forward`, both losses with their backward passes, both optimizers.

    Discriminators take no gradient from the generators' losses: they are frozen while those are computed. The exception
    is a discriminator behind gradient reversal, which trains by the generators' losses.

    Attributes:
        terms: the method's terms by name, from `build`.
        networks: at least those that `needs(terms)` lists.
        task: the supervised loss.
        seed: of all random draws.
        gather: concatenates a tensor over processes in the order of their ranks.
        teacher: an average of the networks, for terms that need "teacher".
        judge: a frozen encoder and head, for terms that need "judge".
        class_sizes: of the labelled source, for terms that need "class_sizes".
        gather_samples: as `gather`, with gradients; where statistics of a batch are to be those of all processes.
        pretrained: the source images' encoder with its pretrained weights, frozen, for terms that need "pretrained".

    Raises:
        ConfigError: a term needs what is missing.
    """

    terms: Mapping[str, Term]
    networks: Networks
    task: Task
    seed: int
    gather: Callable[[Tensor], Tensor] = lambda tensor: tensor
    teacher: Networks | None = None
    judge: Networks | None = None
    class_sizes: ClassSizes | None = None
    gather_samples: Callable[[Tensor], Tensor] | None = None
    pretrained: Networks | None = None

    def __post_init__(self) -> None:
        optional = {
            "teacher": self.teacher, "judge": self.judge, "pretrained": self.pretrained,
            "class_sizes": self.class_sizes,
        }  # fmt: skip
        available = {name for name, value in optional.items() if value is not None}
        check_available(self.terms, available | self.task.offers | {"pairs"})
        size = max((term.pool_size() for term in self.terms.values()), default=0)
        self._pools: dict[Domain, ImagePool] = (
            {domain: ImagePool(size, self.seed, f"image_pool/{domain}") for domain in DOMAINS} if size else {}
        )

    def forward(self, batch: Batch, progress: float) -> ForwardPass:
        """The step's tensors, none of them computed yet; `progress` is the share of training done, in `[0, 1]`."""
        return ForwardPass(
            batch, self.networks, self.task, self.seed, progress, self._pools, self.gather,
            self.teacher, self.judge, self.class_sizes, self.gather_samples, self.pretrained,
        )  # fmt: skip

    def generator_losses(self, p: ForwardPass) -> dict[str, Tensor]:
        """Each term's weighted scalar by name, for all networks but the alternating discriminators."""
        with self._frozen(self.players()[1]):
            losses = {}
            for name, term in self.terms.items():
                with record_function(f"generators: term {name}"):
                    losses[name] = weight_at(term.weight, p.progress) * term.generator(p)
            return losses

    def discriminator_losses(self, p: ForwardPass) -> dict[str, Tensor]:
        """The discriminators' scalar of each term that has one, unweighted; after `generator_losses`."""
        losses = {}
        for name, term in self.terms.items():
            with record_function(f"discriminators: term {name}"):
                loss = term.discriminator(p)
            if loss is not None:
                losses[name] = loss
        return losses

    def measures(self, p: ForwardPass) -> dict[str, Tensor]:
        """Detached scalars by `term.name`, such as a discriminator's accuracy; after both losses."""
        with torch.no_grad():
            return {
                f"{name}.{measure}": value.detach()
                for name, term in self.terms.items()
                for measure, value in term.measures(p).items()
            }

    def players(self) -> tuple[list[str], list[str]]:
        """Sorted names of the networks that the generators' and the discriminators' optimizer train.

        Frozen networks belong to neither; a discriminator behind gradient reversal counts as a generator.
        """
        joint: set[str] = set().union(*(term.joint_discriminators() for term in self.terms.values()))
        second: set[str] = set().union(*(term.discriminators() for term in self.terms.values()))
        trained = self.networks.trainable()
        discriminators = [
            name for name in trained if name in second or (name.startswith("discriminator.") and name not in joint)
        ]
        return [name for name in trained if name not in discriminators], discriminators

    @torch.no_grad()
    def clip_discriminators(self) -> None:
        """After an update: clip the parameters of the networks that terms clip."""
        for term in self.terms.values():
            for name, bound in term.clipped().items():
                for parameter in self.networks.modules[name].parameters():
                    parameter.clamp_(-bound, bound)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint must hold besides the networks: the image pools."""
        return {f"image_pool.{domain}": pool.state() for domain, pool in self._pools.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned.

        Raises:
            ArtefactError: the state belongs to a method with other pools.
        """
        expected = sorted(self.state())
        if sorted(state) != expected:
            raise ArtefactError(
                f"objective state: found {sorted(state)}, expected {expected}; resume with the method that wrote it"
            )
        for domain, pool in self._pools.items():
            pool.load_state(state[f"image_pool.{domain}"])

    def generators_frozen(self) -> AbstractContextManager[None]:
        """Around a forward pass for the discriminators' losses only: the generators take no gradient."""
        return self._frozen(self.players()[0])

    @contextmanager
    def _frozen(self, names: Collection[str]) -> Iterator[None]:
        parameters = [
            parameter
            for name in names
            for parameter in self.networks.modules[name].parameters()
            if parameter.requires_grad
        ]
        for parameter in parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in parameters:
                parameter.requires_grad_(True)


def needs(terms: Mapping[str, Term], frozen: Collection[str] = ()) -> set[str]:
    """The union of the terms' needs, for `segda.networks.networks.build`; a frozen head is built and published."""
    return set().union({"head"} & set(frozen), *(term.needs() for term in terms.values()))


def differentiated_twice(terms: Mapping[str, Term]) -> set[str]:
    """Names of the networks whose gradient is part of a loss."""
    return set().union(*(term.differentiated_twice() for term in terms.values()))


_REMEDIES = {
    "teacher": "set an EMA decay, such as `ema: 0.99`",
    "judge": "set `judge: {from: a stage that trained encoder and head}`",
    "pretrained": "give the encoder `weights`, such as `networks.encoder.weights: imagenet`",
    "class_sizes": "use it in a stage that adapts from a labelled source",
    "label_map": "the task has one label for an image, the term needs one for each pixel; use it for segmentation",
    "pairs": "set `paired: true` and give data whose images are pairs",
}


def check_available(terms: Mapping[str, Term], available: Collection[str]) -> None:
    """Check that everything the terms need besides networks is available.

    Raises:
        ConfigError: names the term, what it needs and the remedy.
    """
    for name, term in terms.items():
        for need in sorted(term.needs() & _REMEDIES.keys() - set(available)):
            raise ConfigError(f"terms.{name}: needs {need.replace('_', ' ')!r}, and there is none; {_REMEDIES[need]}")


def build(terms: Mapping[str, Mapping[str, Any]]) -> dict[str, Term]:
    """A method's terms from its table of options; terms of constant weight 0 are left out, as in the paper's Table 1.

    Args:
        terms: options by term name, `weight` among them; a name is a file in `segda/objectives/terms/`.

    Raises:
        ConfigError: unknown term or option, wrong type or value, weight missing or negative, or no term left.
    """
    built = {name: _build_term(name, options) for name, options in terms.items()}
    built = {name: term for name, term in built.items() if term.weight != 0}
    if not built:
        raise ConfigError(f"terms: {sorted(terms) or 'none'} leave nothing to train; give one term a weight above 0")
    return built


def _build_term(name: str, options: Mapping[str, Any]) -> Term:
    component = lookup.module("segda.objectives.terms", name).build
    term: Term = component(**validate_options(component, options, f"terms.{name}"))
    final = weight_at(term.weight, 1.0)
    if not (math.isfinite(final) and final >= 0):
        raise ConfigError(f"terms.{name}.weight: found {final}, expected a finite number of at least 0")
    return term


def check_gradients(networks: Networks) -> None:
    """After the first step's backward passes: check that every trainable parameter has received a gradient.

    Raises:
        TrainingError: a network, named with its first such parameter, would never train, and DDP would hang.
    """
    for name, module in networks.modules.items():
        for parameter_name, parameter in module.named_parameters():
            if parameter.requires_grad and parameter.grad is None:
                raise TrainingError(
                    f"network {name!r}: parameter {parameter_name!r} received no gradient in the first step; "
                    "add a term that trains it, or freeze it"
                )
