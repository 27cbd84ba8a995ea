import torch
from torch import Tensor

from segda.objectives.image_pool import ImagePool


def alone(tensor: Tensor) -> Tensor:
    return tensor


def image(value: float, count: int = 1) -> Tensor:
    return torch.full((count, 1, 2, 2), float(value))


def run(pool: ImagePool, values: range) -> list[float]:
    return [pool.exchange(image(v), torch.tensor([v]), alone).mean().item() for v in values]


def test_fills_first_then_shows_new_or_swaps_for_old_half_of_the_time() -> None:
    pool = ImagePool(5, 0, "pool")
    assert run(pool, range(5)) == [0, 1, 2, 3, 4]
    taken = run(pool, range(5, 405))
    new = sum(value == index for index, value in enumerate(taken, start=5))
    assert 160 < new < 240
    old = [value for index, value in enumerate(taken, start=5) if value != index]
    assert all(value < index for index, value in enumerate(taken, start=5) if value != index)
    assert len(old) == len(set(old)), "a swapped image leaves the pool"
    assert len(pool.state()) == 5


def test_whole_batch_equals_one_by_one_in_the_order_of_positions() -> None:
    values = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    whole, single = ImagePool(4, 0, "pool"), ImagePool(4, 0, "pool")
    taken = whole.exchange(values.view(-1, 1, 1, 1).float(), values, alone).flatten()
    expected = [single.exchange(image(v)[:, :, :1, :1], torch.tensor([v]), alone).item() for v in range(30)]
    assert [taken[values.tolist().index(v)].item() for v in range(30)] == expected
    assert torch.equal(whole.state(), single.state())


def test_continues_from_its_state_exactly() -> None:
    whole, first, second = (ImagePool(3, 0, "pool") for _ in range(3))
    expected = run(whole, range(40))
    begun = run(first, range(15))
    second.load_state(first.state())
    assert begun + run(second, range(15, 40)) == expected
    assert torch.equal(second.state(), whole.state())


def test_empty_state_can_be_loaded() -> None:
    pool = ImagePool(3, 0, "pool")
    pool.load_state(ImagePool(3, 0, "pool").state())
    assert run(pool, range(3)) == [0, 1, 2]


def test_keeps_no_graph_and_no_view_of_the_batch() -> None:
    pool = ImagePool(2, 0, "pool")
    batch = torch.ones(1, 1, 2, 2, requires_grad=True)
    assert not pool.exchange(batch * 2, torch.tensor([0]), alone).requires_grad
    last = image(3.0)
    pool.exchange(last, torch.tensor([1]), alone)
    last.zero_()
    assert pool.state()[1].mean() == 3


def test_draws_depend_on_seed_and_purpose() -> None:
    taken = {tuple(run(ImagePool(2, seed, purpose), range(30))) for seed, purpose in ((0, "a"), (1, "a"), (0, "b"))}
    assert len(taken) == 3


def test_state_may_hold_images_of_several_devices() -> None:
    """After a restart on a GPU the pool mixes images from the checkpoint (CPU) with new ones."""
    pool = ImagePool(2, 0, "pool")
    pool.load_state(image(1.0))
    pool.exchange(image(2.0), torch.tensor([1]), alone)
    moved: list[Tensor] = []

    class Elsewhere(Tensor):
        def cpu(self) -> Tensor:  # type: ignore[override]
            moved.append(self)
            return self.as_subclass(Tensor)

    pool._images[1] = pool._images[1].as_subclass(Elsewhere)
    assert pool.state().flatten(1).mean(dim=1).tolist() == [1.0, 2.0]
    assert len(moved) == 1
