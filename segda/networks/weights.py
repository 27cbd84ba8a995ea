"""Networks to and from a folder: one safetensors file a network."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from segda.errors import ArtefactError, reason
from segda.files import write_whole


def save(modules: Mapping[str, nn.Module], folder: Path) -> None:
    """Write each network, unwrapped, to `folder/<name>.safetensors`, whole or not at all.

    Raises:
        ArtefactError: a file cannot be written.
    """
    for name, module in sorted(modules.items()):
        # Copies, since the format refuses tensors that share memory.
        tensors = {
            key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in module.state_dict().items()
        }
        write_whole(folder / f"{name}.safetensors", safetensors.torch.save(tensors))


def load(modules: Mapping[str, nn.Module], folder: Path, names: Iterable[str] | None = None) -> None:
    """Read networks, all of `modules` or those of `names`, from a folder that `save` wrote.

    Raises:
        ArtefactError: a file is missing, damaged, or of another architecture.
    """
    for name in sorted(modules if names is None else names):
        path = folder / f"{name}.safetensors"
        if name not in modules:
            built = ", ".join(sorted(modules))
            raise ArtefactError(f"{path}: this stage builds no network {name!r}; it builds {built}")
        if not path.is_file():
            present = ", ".join(stored(folder)) or "no networks"
            raise ArtefactError(f"{path}: no such file, the folder holds {present}; name another run or run it again")
        try:
            tensors = safetensors.torch.load_file(path)
        except (SafetensorError, OSError) as error:
            raise ArtefactError(
                f"{path}: damaged ({reason(error)}); delete its run folder and run the stage again"
            ) from error
        expected = {key: tuple(tensor.shape) for key, tensor in modules[name].state_dict().items()}
        shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
        if shapes != expected:
            differing = sorted(key for key in expected.keys() | shapes.keys() if expected.get(key) != shapes.get(key))
            key = differing[0]
            raise ArtefactError(
                f"{path}: {len(differing)} tensors differ from the configured network, first {key}: found "
                f"{shapes.get(key, 'none')}, expected {expected.get(key, 'none')}; use the options it was trained with"
            )
        modules[name].load_state_dict(tensors)


def average(modules: Mapping[str, nn.Module], folders: Sequence[Path]) -> None:
    """Give each network the mean of its own weights and those of its name in each folder, all counting the same.

    Running statistics are averaged, too; whole numbers, which count steps, stay. The mean of networks that were
    fine-tuned from one beginning is often better than each on data unlike the training's: Wortsman et al. 2022 (ICML,
    model soups; CVPR, robust fine-tuning).

    Raises:
        ArtefactError: as for `load`.
    """
    for name, module in modules.items():
        own = {key: tensor for key, tensor in module.state_dict().items() if tensor.is_floating_point()}
        total = {key: tensor.to("cpu", torch.float64) for key, tensor in own.items()}
        other = copy.deepcopy(module)
        for folder in folders:
            load({name: other}, folder)
            for key, tensor in other.state_dict().items():
                if key in total:
                    total[key] += tensor.cpu()
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(total[key] / (1 + len(folders)))


def stored(folder: Path) -> list[str]:
    """The names of the networks that a folder holds, sorted."""
    return sorted(file.name.removesuffix(".safetensors") for file in folder.glob("*.safetensors"))
