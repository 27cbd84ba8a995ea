"""Checkpoints that make a restart exact: everything that the next step depends on, as tensors and plain numbers.

A checkpoint is the folder `step-00000100` with `tensors.safetensors` and `state.json`; no pickle anywhere. It is
written under a temporary name, flushed to the disk and then renamed, so a folder with the final name is whole; a
checksum over both files detects later damage. Training waits only while its tensors are copied; a thread does the rest.
Batch order, augmentation and schedules are pure functions of seed and step and need no storing.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from segda.engine.background import BackgroundWriter
from segda.engine.safetensors_bytes import serialize
from segda.engine.session import Session
from segda.errors import ArtefactError, reason
from segda.files import digest, flush

KEPT = 2
"""Checkpoints that stay: the newest, and one more in case it is damaged."""

_PREFIX = "step-"


def collect_optimizer(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """An optimizer's state as named tensors and, group by group, its plain settings."""
    state = optimizer.state_dict()
    tensors = {
        f"{index}.{key}": value
        for index, entry in state["state"].items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }
    return tensors, state["param_groups"]


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Put back what `collect_optimizer` gave."""
    entries: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        entries.setdefault(int(index), {})[key] = tensor
    for group, own in zip(groups, optimizer.param_groups, strict=True):
        if "betas" in group:  # JSON knows no tuples
            group["betas"] = tuple(group["betas"])
        # How an update is computed is this machine's choice, not that of the one which wrote the checkpoint.
        group.update({name: own[name] for name in ("fused", "foreach") if name in own})
    optimizer.load_state_dict({"state": entries, "param_groups": groups})
    # A fused kernel reads a parameter and its moments side by side, so their memory must be laid out alike.
    for parameter, state in optimizer.state.items():
        state.update(
            {
                key: torch.empty_like(parameter, dtype=value.dtype).copy_(value)
                for key, value in state.items()
                if isinstance(value, Tensor) and value.shape == parameter.shape
            }
        )


def random_state(session: Session) -> dict[str, Tensor]:
    """Every process's torch random state (dropout draws from it), by rank."""
    states = {"cpu": torch.get_rng_state()}
    if session.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(session.device)
    gathered = {}
    for kind, state in states.items():
        everyone = session.gather(state.to(session.device)).cpu().view(session.world, -1)
        gathered.update({f"{rank}.{kind}": everyone[rank].clone() for rank in range(session.world)})
    return gathered


def restore_random_state(tensors: Mapping[str, Tensor], session: Session) -> None:
    """Put this process's random state back; a process that was not there before keeps its own."""
    if f"{session.rank}.cpu" in tensors:
        torch.set_rng_state(tensors[f"{session.rank}.cpu"])
    if session.device.type == "cuda" and f"{session.rank}.cuda" in tensors:
        torch.cuda.set_rng_state(tensors[f"{session.rank}.cuda"], session.device)


def flatten(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """The networks' parameters and buffers as `network/parameter`."""
    return {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


def unflatten(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Load what `flatten` gave; every name must be there."""
    for name, module in modules.items():
        prefix = f"{name}/"
        module.load_state_dict({key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)})


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    plain: Mapping[str, Any],
    background: BackgroundWriter | None = None,
) -> None:
    """Write the checkpoint of `step` below `folder`, then remove all but the newest `KEPT`.

    Args:
        folder: of the checkpoints.
        step: steps made.
        tensors: they may change as soon as this returns.
        plain: the rest of the state, as JSON data.
        background: does all but the copy of the tensors, if given; the previous checkpoint is finished first.

    Raises:
        ArtefactError: the disk refuses; earlier checkpoints are untouched.
    """
    if background is not None:
        background.wait()  # before there is a second copy
    content, state = serialize(tensors), {"step": step, **plain}
    if background is None:
        _write(folder, content, state)
    else:
        background.begin(lambda: _write(folder, content, state))


def _write(folder: Path, content: memoryview, state: Mapping[str, Any]) -> None:
    final = folder / f"{_PREFIX}{state['step']:08d}"
    temporary = folder / f".{final.name}.partial"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        # By Python: safetensors' own writing reports a full disk as no OSError.
        (temporary / "tensors.safetensors").write_bytes(content)
        (temporary / "state.json").write_text(json.dumps({**state, "sha256": checksum(content, state)}))
        for file in temporary.iterdir():
            flush(file)
        if final.exists():
            shutil.rmtree(final)
        os.replace(temporary, final)
        flush(folder)
    except OSError as error:
        raise ArtefactError(
            f"{final}: the checkpoint could not be written ({error.strerror or error}); earlier ones are untouched: "
            "free space or repair the folder, then run the same command again"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _rotate(folder, step_of(final))


def _rotate(folder: Path, step: int) -> None:
    """Keep the newest `KEPT` up to `step`; later ones are damaged, or training would have gone on from them."""
    paths = sorted(folder.glob(f"{_PREFIX}*"))
    kept = [path for path in paths if step_of(path) <= step][-KEPT:]
    for path in paths:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def step_of(path: Path) -> int:
    """The number of steps that had been made when a checkpoint was written, by its folder's name."""
    return int(path.name.removeprefix(_PREFIX))


def clean(folder: Path) -> None:
    """Remove what a process left that died while it wrote a checkpoint below `folder`."""
    for partial in folder.glob(f".{_PREFIX}*.partial"):
        shutil.rmtree(partial, ignore_errors=True)


def checksum(content: bytes | memoryview, state: Mapping[str, Any]) -> str:
    """SHA-256 of a checkpoint: the bytes of its tensors, and its plain values but for the checksum itself."""
    plain = json.dumps({name: value for name, value in state.items() if name != "sha256"}, sort_keys=True)
    return digest(content, plain.encode())


def load_newest(folder: Path) -> tuple[int, dict[str, Tensor], dict[str, Any], list[str]]:
    """Load the newest whole checkpoint below `folder`.

    Returns:
        Its step (0 when there is none), its tensors and plain values, and a line for each damaged one passed over;
        one more when none is left.
    """
    damaged: list[str] = []
    for candidate in sorted(folder.glob(f"{_PREFIX}*"), reverse=True):
        try:
            tensors, plain = read(candidate)
            return int(plain["step"]), tensors, plain, damaged
        except (OSError, ValueError, KeyError) as error:
            damaged.append(f"{candidate}: damaged checkpoint passed over ({reason(error)})")
    if damaged:
        damaged.append(f"{folder}: no whole checkpoint is left; training begins anew")
    return 0, {}, {}, damaged


def load_alike(folder: Path, session: Session) -> tuple[int, dict[str, Tensor], dict[str, Any], list[str]]:
    """`load_newest` of rank 0, the same checkpoint on every rank.

    Raises:
        ArtefactError: a rank cannot read what rank 0 has read.
    """

    def look(decided: list[Any] | None) -> tuple[tuple[int, dict[str, Tensor], dict[str, Any], list[str]], list[Any]]:
        if decided is None:
            found = load_newest(folder)
        elif not decided[1]:  # rank 0 found none
            found = 0, {}, {}, []
        else:
            try:
                found = decided[0], *read(folder / f"{_PREFIX}{decided[0]:08d}"), []
            except (ValueError, KeyError) as error:
                raise ArtefactError(f"step {decided[0]} is damaged: {error}") from error
        return found, [found[0], found[2].get("sha256", "")]

    return session.same_everywhere(f"{folder}: checkpoint", look)


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and plain values of one checkpoint.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged.
        KeyError: likewise.
    """
    plain = json.loads((folder / "state.json").read_text())
    stored = (folder / "tensors.safetensors").read_bytes()
    if not isinstance(plain, dict):
        raise ValueError("its state is no mapping")
    if checksum(stored, plain) != plain["sha256"]:
        raise ValueError("its checksum differs")
    return load(stored), plain
