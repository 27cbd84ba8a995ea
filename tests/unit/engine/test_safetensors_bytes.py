"""Serialized tensors: the bytes of safetensors, in memory of their own."""

import pytest
import torch
from safetensors.torch import load, save

from segda.engine.safetensors_bytes import NAMES, serialize


@pytest.mark.promise("background-checkpoint")
def test_the_bytes_are_those_of_safetensors() -> None:
    tensors = {
        f"{name}/{index}": (torch.arange(6) % 2).to(kind).view(2, 3)
        for index, kind in enumerate(NAMES)
        for name in ("b", 'ü"\\\n')
    }
    tensors |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(3.0), "a": torch.randn(5, dtype=torch.float64)}
    assert bytes(serialize(tensors)) == save(tensors)
    assert bytes(serialize({})) == save({})


def test_tied_tensors_and_views_are_whole() -> None:
    weight = torch.arange(12.0).requires_grad_()
    tensors = {"tied": weight, "again": weight, "turned": weight.view(3, 4).T, "part": weight[3:7]}
    loaded = load(bytes(serialize(tensors)))
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor), name


@pytest.mark.promise("background-checkpoint")
def test_what_becomes_of_the_tensors_does_not_change_it() -> None:
    weight = torch.ones(1000)
    content = serialize({"weight": weight})
    weight.zero_()
    assert load(bytes(content))["weight"].sum() == 1000


def test_a_type_that_nobody_holds_is_refused() -> None:
    with pytest.raises(KeyError):
        serialize({"x": torch.zeros(1, dtype=torch.complex64)})


@pytest.mark.gpu
def test_tensors_on_a_gpu_are_copied() -> None:
    tensors = {"a": torch.randn(100, 7), "b": torch.arange(5)}
    content = serialize({name: tensor.cuda() for name, tensor in tensors.items()})
    assert bytes(content) == save(tensors)
