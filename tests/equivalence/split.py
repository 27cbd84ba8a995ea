"""Two processes in one: each half of a batch on its own copy of the networks, tensors exchanged in rank order."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from segda.batch import Batch
from segda.engine import synchronized_batch
from segda.networks.networks import Networks
from segda.objectives.objective import Objective
from tests.equivalence import setting
from tests.equivalence.setting import Step

WORLD = 2


class Exchange:
    """`gather(rank)` concatenates the tensors that all ranks pass in at the same call."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(WORLD, timeout=20)
        self._slots: list[Tensor] = [torch.empty(0)] * WORLD

    def gather(self, rank: int) -> Callable[[Tensor], Tensor]:
        def exchange(tensor: Tensor) -> Tensor:
            self._slots[rank] = tensor
            self._barrier.wait()
            whole = torch.cat(self._slots)
            self._barrier.wait()
            return whole

        return exchange


def compare(config: dict[str, Any], batches: list[Batch], gather_statistics: bool = False) -> None:
    """Whole batches against the mean of their halves, step after step; the image pools go on from step to step."""
    built = setting.networks(config)
    exchange = Exchange()
    whole = setting.objective_of(config, built)

    def half(rank: int) -> Objective:
        gather = exchange.gather(rank)
        networks = Networks(copy.deepcopy(built.modules), built.tied)
        samples = (lambda tensor: synchronized_batch.gather(tensor, gather, rank)) if gather_statistics else None
        return setting.objective_of(config, networks, gather, samples)

    ranks = [half(rank) for rank in range(WORLD)]
    for samples in batches:
        expected = setting.step(whole, samples)
        size = len(samples.source.image) // WORLD
        halves = [setting.part(samples, slice(rank * size, (rank + 1) * size)) for rank in range(WORLD)]
        with ThreadPoolExecutor(WORLD) as pool:
            mean = _mean(list(pool.map(setting.step, ranks, halves)))
        setting.assert_same(mean, expected, config.get("frozen", []))
        _assert_same_pools([whole, *ranks])


def _assert_same_pools(objectives: list[Objective]) -> None:
    first, *others = (objective.state() for objective in objectives)
    for other in others:
        for name, images in first.items():
            torch.testing.assert_close(other[name], images, rtol=1e-9, atol=1e-12)


def _mean(steps: list[Step]) -> Step:
    def mean(values: list[Any]) -> Any:
        return None if any(value is None for value in values) else sum(values) / len(values)

    return Step(
        mean([step.generator for step in steps]),
        mean([step.discriminator for step in steps]),
        {name: mean([step.gradients[name] for step in steps]) for name in steps[0].gradients},
    )
