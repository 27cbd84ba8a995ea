"""The scaling benchmark: the arithmetic by hand, and the bytes a stage exchanges, counted another way."""

import pytest

from pipelines.networks import networks_at_random
from tools.bench import scaling as bench
from tools.bench.inputs import stage_of
from tools.bench.scaling import Link

SLOW = Link(bandwidth=1e9, latency=0.001)


def test_a_ring_by_hand() -> None:
    assert bench.ring(1e9, 1, SLOW) == 0
    assert bench.ring(1e9, 2, SLOW) == pytest.approx(2 * 1 * (0.5 + 0.001))
    assert bench.ring(1e9, 4, SLOW) == pytest.approx(2 * 3 * (0.25 + 0.001))
    free = Link(bandwidth=1e9, latency=0.0)
    assert bench.ring(1e9, 1_000_000, free) == pytest.approx(2.0, rel=1e-3), "twice the bytes, however many processes"


def test_a_step_by_hand() -> None:
    assert bench.step(3.0, 1e9, 0.0, 1, SLOW) == 3.0
    free, bucket = Link(bandwidth=1e9, latency=0.0), bench.BUCKET / 1e9
    # Two processes send as many bytes as there are: 1 second, of which all but the last bucket hides in 2 of backward.
    assert bench.step(3.0, 1e9, 0.0, 2, free) == pytest.approx(3 + bucket)
    # 4 seconds do not hide in 2, and the running statistics in none.
    assert bench.step(3.0, 4e9, 1e8, 2, free) == pytest.approx(3 + (4 - bucket - 2) + bucket + 0.1)


def test_a_network_smaller_than_a_bucket_hides_nothing() -> None:
    assert bench.step(3.0, 1e6, 0.0, 2, SLOW) == pytest.approx(3 + 2 * (0.0005 + 0.001))


def test_what_a_stage_exchanges_is_counted_from_its_networks() -> None:
    memory, config = stage_of("streets", "translate")
    counted = bench.exchange(memory, config)
    networks = networks_at_random(config, config.method)  # type: ignore[attr-defined]
    sizes = {name: sum(4 * each.numel() for each in built.parameters()) for name, built in networks.modules.items()}
    discriminators = sum(size for name, size in sizes.items() if name.startswith("discriminator"))
    assert (counted.generator, counted.discriminator) == (sum(sizes.values()) - discriminators, discriminators)
    assert counted.batch == 2
    floating = [
        tensor.nbytes for built in networks.modules.values() for name, tensor in built.named_buffers()
        if tensor.is_floating_point() and name in built.state_dict()
    ]  # fmt: skip
    assert counted.buffers == sum(floating)
    assert counted.operations > 0
