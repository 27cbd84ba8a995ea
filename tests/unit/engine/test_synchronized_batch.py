"""Statistics of a batch split over processes (threads here) equal those of the whole batch."""

import copy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from segda import torchvision_compat
from segda.engine import synchronized_batch
from segda.engine.synchronized_batch import SynchronizedBatchNorm
from segda.errors import ConfigError
from segda.losses import discrepancy
from segda.objectives import objective as objectives


def in_parts(parts: int, work: Callable[[int, Callable[[Tensor], Tensor]], Any]) -> list[Any]:
    """Run `work(rank, gathered)` for every rank at once."""
    barrier = threading.Barrier(parts, timeout=20)
    slots: list[Tensor] = [torch.empty(0)] * parts

    def ranked(rank: int) -> Any:
        def exchange(tensor: Tensor) -> Tensor:
            slots[rank] = tensor
            barrier.wait()
            joined = torch.cat(slots)
            barrier.wait()
            return joined

        return work(rank, lambda tensor: synchronized_batch.gather(tensor, exchange, rank))

    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(ranked, range(parts)))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mean_of(gradients: list[list[Tensor]]) -> list[Tensor]:
    return [torch.stack(each).mean(dim=0) for each in zip(*gradients, strict=True)]


@pytest.mark.promise("gathered-statistics")
@pytest.mark.parametrize("loss", [discrepancy.coral, discrepancy.mmd, discrepancy.linear_mmd])
def test_a_distance_of_gathered_samples_has_the_value_and_gradient_of_the_whole(loss: Callable[..., Tensor]) -> None:
    """Average over processes, as data parallelism averages gradients."""
    weight, source, target = random(3, 5), random(6, 3, seed=1), random(6, 3, seed=2)

    def step(rank: int, gathered: Callable[[Tensor], Tensor], size: int) -> tuple[Tensor, list[Tensor]]:
        own = weight.clone().requires_grad_()
        share = slice(rank * size, (rank + 1) * size)
        value = loss(gathered((source[share] @ own).tanh()), gathered((target[share] @ own).tanh()))
        value.backward()
        assert own.grad is not None
        return value.detach(), [own.grad]

    expected, gradient = step(0, lambda tensor: tensor, 6)
    actual = in_parts(3, lambda rank, gathered: step(rank, gathered, 2))
    assert all(torch.allclose(value, expected, rtol=1e-12) for value, _ in actual)
    torch.testing.assert_close(mean_of([gradients for _, gradients in actual]), gradient, rtol=1e-10, atol=1e-14)


def test_second_derivatives_pass() -> None:
    """Gradient penalties differentiate a gradient."""
    weight, samples = random(3, 3), random(4, 3, seed=1)

    def step(rank: int, gathered: Callable[[Tensor], Tensor], size: int) -> list[Tensor]:
        own = weight.clone().requires_grad_()
        rows = samples[rank * size : (rank + 1) * size].clone().requires_grad_()
        whole = gathered((rows @ own).tanh())
        # Every process has the whole batch, so the mean of their losses is the loss of one.
        (slope,) = torch.autograd.grad((whole.T @ whole).square().sum() * size / 4, rows, create_graph=True)
        (slope.square().sum() * 4 / size).backward()
        assert own.grad is not None
        return [own.grad]

    expected = step(0, lambda tensor: tensor, 4)
    actual = mean_of(in_parts(2, lambda rank, gathered: step(rank, gathered, 2)))
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-14)


class Network(nn.Module):
    """Two normalisations, so that gradients pass through one; the second has no scale and shift."""

    def __init__(self, momentum: float | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=momentum), nn.PReLU(), nn.Conv2d(4, 2, 3),
            nn.BatchNorm2d(2, affine=False, momentum=momentum),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image)


def built(momentum: float | None = 0.1) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Network(momentum).double()


def trained(network: Network, image: Tensor) -> dict[str, Tensor]:
    """Running statistics, gradients and output after two passes."""
    for factor in (1.0, 2.0):
        output = network(image * factor + factor)
        output.sin().mean().backward()
    buffers = {name: value for name, value in network.state_dict().items() if "running" in name or "batches" in name}
    gradients = {f"{name}.grad": value.grad for name, value in network.named_parameters() if value.grad is not None}
    return {**buffers, **gradients, "output": output.detach()}


@pytest.mark.promise("gathered-statistics")
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("parts", [2, 3])
def test_batch_normalisation_over_all_processes_is_that_of_one(parts: int, momentum: float | None) -> None:
    """Output, gradients and running statistics; `momentum: None` is torch's cumulative average."""
    image = random(6, 3, 7, 8) * torch.arange(1, 7)[:, None, None, None] + 3
    expected = trained(built(momentum), image)

    def step(rank: int, gathered: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        size = 6 // parts
        with SynchronizedBatchNorm(gathered):
            return trained(network[rank], image[rank * size : (rank + 1) * size])

    network = [built(momentum) for _ in range(parts)]
    actual = in_parts(parts, step)
    output = torch.cat([each.pop("output") for each in actual])
    torch.testing.assert_close(output, expected.pop("output"), rtol=1e-10, atol=1e-12)
    for name, value in expected.items():
        each = torch.stack([part[name] for part in actual])
        if name.endswith("grad"):
            each = each.mean(dim=0, keepdim=True)
        for one in each:
            torch.testing.assert_close(one, value, rtol=1e-9, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")


def test_without_it_the_parts_differ() -> None:
    image = random(6, 3, 7, 8) * torch.arange(1, 7)[:, None, None, None]
    whole = trained(built(), image)["layers.1.running_mean"]
    parts = [trained(built(), image[:3]), trained(built(), image[3:])]
    assert all((part["layers.1.running_mean"] - whole).abs().max() > 0.01 for part in parts)


def test_parts_of_unequal_size_count_by_their_size() -> None:
    values, parts = random(5, 2, 3, 3), (slice(0, 1), slice(1, 5))

    def step(rank: int, gathered: Callable[[Tensor], Tensor]) -> Tensor:
        with SynchronizedBatchNorm(gathered):
            return functional.batch_norm(values[parts[rank]], None, None, training=True)

    torch.testing.assert_close(torch.cat(in_parts(2, step)), functional.batch_norm(values, None, None, training=True))


def test_large_means_cancel_no_digits() -> None:
    values = torch.randn(8, 2, 5, 5, generator=torch.Generator().manual_seed(0)) + 1000
    with SynchronizedBatchNorm(lambda tensor: synchronized_batch.gather(tensor, lambda part: part, 0)):
        actual = functional.batch_norm(values, None, None, training=True)
    exact = functional.batch_norm(values.double(), None, None, training=True)
    assert float((actual - exact).abs().max()) < 1e-3


def test_half_precision_comes_back_as_it_went_in() -> None:
    values = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    weight = torch.tensor([2.0, 3.0])
    expected = functional.batch_norm(values, None, None, weight, training=True)
    with SynchronizedBatchNorm(lambda tensor: tensor):
        actual = functional.batch_norm(values, None, None, weight, training=True)
    assert actual.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(actual, expected)


def test_evaluation_is_left_alone_and_nothing_lasts() -> None:
    def refuse(tensor: Tensor) -> Tensor:
        raise AssertionError("nothing is to be gathered")

    layer = nn.BatchNorm2d(2).eval()
    image = torch.rand(2, 2, 4, 4)
    expected = layer(image)
    with SynchronizedBatchNorm(refuse):
        assert torch.equal(layer(image), expected)
        with pytest.raises(AssertionError, match="gathered"):
            layer.train()(image)
    layer(image)


def test_one_value_over_all_processes_is_refused() -> None:
    with SynchronizedBatchNorm(lambda tensor: tensor), pytest.raises(ConfigError, match="one value a channel"):
        nn.BatchNorm2d(2)(torch.rand(1, 2, 1, 1))


def test_a_layer_of_another_library_is_reached() -> None:
    """timm's layer combines normalisation and activation."""
    torchvision_compat.import_ready()
    from timm.layers import BatchNormAct2d

    layer, image = BatchNormAct2d(2).double(), random(4, 2, 3, 3)
    expected = copy.deepcopy(layer)(image)

    def step(rank: int, gathered: Callable[[Tensor], Tensor]) -> Tensor:
        with SynchronizedBatchNorm(gathered):
            return copies[rank](image[2 * rank : 2 * rank + 2])

    copies = [copy.deepcopy(layer) for _ in range(2)]
    torch.testing.assert_close(torch.cat(in_parts(2, step)), expected)


GATHERED, ACCUMULATED = "runtime.gather_statistics: true gathers them over the processes", "micro-batches"


@pytest.mark.parametrize(
    ("parts", "world", "expected"),
    [(1, 1, None), (2, 2, [f"1/2 of each batch, not of all of it; {GATHERED}"]), (3, 1, ["1/3 of", ACCUMULATED]),
     (4, 2, ["1/4 of", GATHERED, ACCUMULATED])],
)  # fmt: skip
def test_who_goes_by_parts_of_a_batch_is_told(parts: int, world: int, expected: list[str] | None) -> None:
    terms = objectives.build({"feature_discrepancy": {"weight": 1.0}, "classification": {"weight": 1.0}})
    modules: dict[str, nn.Module] = {"encoder": built(), "head": nn.Conv2d(1, 1, 1), "frozen": built().eval()}
    note = synchronized_batch.note(modules, {"encoder": built()}, terms, parts=parts, world=world)
    if expected is None:
        assert note is None
        return
    assert note is not None
    assert note.startswith("batch normalisation (encoder, teacher.encoder), terms.feature_discrepancy: statistics of")
    assert all(text in note for text in expected)
    assert (GATHERED in note) == (world > 1)
    assert (ACCUMULATED in note) == (parts > world)


def test_means_over_samples_need_no_word() -> None:
    terms = objectives.build({"classification": {"weight": 1.0}})
    assert synchronized_batch.note({"head": nn.Conv2d(1, 1, 1)}, {}, terms, parts=4, world=2) is None
