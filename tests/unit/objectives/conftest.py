"""Tiny networks that count their calls, a task, and batches."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.batch import DOMAINS, Batch, Domain, DomainBatch
from segda.losses.supervised import cross_entropy
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, self.layer(image).tanh()]


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tails = nn.ModuleDict({domain: nn.Conv2d(5, 3, 1) for domain in DOMAINS})

    def forward(self, features: list[Tensor], domain: Domain) -> Tensor:
        return self.tails[domain](features[-1]).tanh()


class Discriminator(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scoring, self.segmenting = nn.Conv2d(channels, 1, 3), nn.Conv2d(channels, 4, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.scoring(x), self.segmenting(x))


class StandIn:
    """The interface of `segda.networks.networks.Networks`, counting the calls of each kind."""

    frozen: frozenset[str] = frozenset()
    detail_multiple = 0
    trainable = Networks.trainable
    masked = Networks.masked

    def __init__(self, tied: bool = True) -> None:
        encoders = ["encoder"] if tied else ["encoder.source", "encoder.target"]
        inputs = {"feature": 5, "logits": 4, "source": 3, "target": 3}
        self.tied = tied
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.modules: dict[str, nn.Module] = {name: Encoder() for name in encoders}
            self.modules["head"] = nn.Conv2d(5, 4, 1)
            self.modules["decoder"] = Decoder()
            self.modules.update({f"discriminator.{name}": Discriminator(count) for name, count in inputs.items()})
        self.calls: Counter[str] = Counter()

    def encode(self, image: Tensor, domain: Domain) -> list[Tensor]:
        self.calls[f"encode {domain}"] += 1
        return self.modules["encoder" if self.tied else f"encoder.{domain}"](image)

    def classify(self, features: list[Tensor]) -> Tensor:
        self.calls["classify"] += 1
        return self.modules["head"](features[-1])

    def decode(self, features: list[Tensor], domain: Domain) -> Tensor:
        self.calls[f"decode {domain}"] += 1
        return self.modules["decoder"](features, domain)

    def lens(self, image: Tensor, domain: Domain) -> Tensor:
        return image

    def discriminate(self, name: str, x: Tensor) -> DiscriminatorOutput:
        self.calls[f"discriminate {name}"] += 1
        return self.modules[f"discriminator.{name}"](x)


class Task:
    offers = frozenset({"label_map"})
    class_weights: list[float] | None = None

    def supervised_loss(self, logits: Tensor, label: Tensor) -> Tensor:
        return cross_entropy(logits, label)


def make_batch(size: int = 2, start: int = 0, target: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(start)
    images = torch.rand(2, size, 3, 8, 10, generator=generator) * 2 - 1
    label = torch.randint(0, 4, (size, 8, 10), generator=generator)
    keys = [str(index) for index in range(size)]
    position = torch.arange(start, start + size)
    source = DomainBatch(images[0], label, position, keys)
    return Batch(source, DomainBatch(images[1], None, position + 50, keys) if target else None)


@pytest.fixture
def stand_in() -> type[StandIn]:
    return StandIn


@pytest.fixture
def task() -> Task:
    return Task()


@pytest.fixture
def batch_of() -> Any:
    return make_batch
