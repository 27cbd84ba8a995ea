"""The processes of one launch and their device: the one place where Accelerate is configured."""

import warnings
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import Tensor, nn

from segda import compat
from segda.errors import ConfigError

compat.import_ready()  # Accelerate looks for torchvision, too

from accelerate import Accelerator  # noqa: E402
from accelerate.utils import (  # noqa: E402
    DistributedDataParallelKwargs,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
    broadcast_object_list,
    parse_flag_from_env,
)

PATIENCE = timedelta(hours=12)
"""How long processes wait for one another: rank 0 alone hashes whole data sets, and the default is ten minutes."""

Precision = Literal["auto", "no", "fp16", "bf16"]


def resolve_precision(precision: Precision, cpu: bool) -> Literal["no", "fp16", "bf16"]:
    """What `auto` means here: bf16 on a GPU that computes in it, else fp32.

    Raises:
        ConfigError: half precision asked for on a CPU, where it can be a hundred times slower than fp32.
    """
    on_gpu = torch.cuda.is_available() and not cpu
    if precision == "auto":
        return "bf16" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    if precision != "no" and not on_gpu:
        raise ConfigError(
            f"runtime.mixed_precision: {precision!r} asked for on a CPU, where it is far slower than fp32; "
            "use 'auto' or 'no'"
        )
    return precision


class Session:
    """One launch: its processes, device and precision. Every stage of a pipeline runs in the same one."""

    def __init__(self, mixed_precision: Precision = "auto", cpu: bool = False) -> None:
        """Join the process group that the launcher described, if any.

        Args:
            mixed_precision: see `resolve_precision`.
            cpu: stay on the CPU although there is a GPU, as `accelerate launch --cpu` also says.
        """
        cpu = cpu or parse_flag_from_env("ACCELERATE_USE_CPU")
        self.mixed_precision = resolve_precision(mixed_precision, cpu)
        # Buffers are averaged by `average_buffers`: broadcasting them in forward would change tensors that the
        # backward of an earlier call of the same network still needs.
        wrapping = DistributedDataParallelKwargs(broadcast_buffers=False)
        self.accelerator = Accelerator(
            mixed_precision=self.mixed_precision,
            cpu=cpu,
            kwargs_handlers=[wrapping, InitProcessGroupKwargs(timeout=PATIENCE)],
            # `fit` divides the losses itself; without this, a setting of `accelerate launch` would divide them again.
            gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
            step_scheduler_with_optimizer=False,
        )

    @property
    def rank(self) -> int:
        """This process's number, from 0."""
        return int(self.accelerator.process_index)

    @property
    def world(self) -> int:
        """Number of processes."""
        return int(self.accelerator.num_processes)

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return torch.device(self.accelerator.device)

    def prepare(self, modules: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """Move each network to the device and make its gradients the mean over all processes."""
        with warnings.catch_warnings():
            # The successor of the option, `forward_sync_buffers`, cannot be passed through Accelerate yet.
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            # Networks that are frozen as a whole have no gradients to exchange, and cannot be wrapped.
            return {
                name: self.accelerator.prepare(module) if any(p.requires_grad for p in module.parameters()) else module
                for name, module in sorted(modules.items())
            }

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`, scaled where fp16 needs it."""
        self.accelerator.backward(loss)

    def step(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Step all optimizers on the gradients collected, then clear them; under fp16 they share one loss scale."""
        players = list(optimizers)
        scaler = self.accelerator.scaler
        for optimizer in players:
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
        if scaler is not None:
            scaler.update()
        for optimizer in players:
            optimizer.zero_grad(set_to_none=True)

    def gather(self, tensor: Tensor) -> Tensor:
        """The processes' tensors (of equal shape) concatenated along the first dimension in rank order."""
        if self.world == 1:
            return tensor
        pieces = [torch.empty_like(tensor) for _ in range(self.world)]
        torch.distributed.all_gather(pieces, tensor.contiguous())
        return torch.cat(pieces)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of the processes' tensors, in their own dtype, so that int64 counts stay exact."""
        if self.world == 1:
            return tensor
        total = tensor.to(self.device).clone()
        torch.distributed.all_reduce(total)
        return total.to(tensor.device)

    def average_buffers(self, modules: Mapping[str, nn.Module]) -> None:
        """Give all processes the mean of their running statistics, so that they keep holding the same networks."""
        if self.world == 1:
            return
        # Only what checkpoints hold: constants are equal anyway, and rounding would make them drift.
        learned = {name: modules[name].state_dict(keep_vars=True) for name in sorted(modules)}
        buffers = [
            tensor
            for tensors in learned.values()
            for tensor in tensors.values()
            if tensor.is_floating_point() and not isinstance(tensor, nn.Parameter)
        ]
        if not buffers:
            return
        flat = torch.cat([buffer.detach().reshape(-1) for buffer in buffers])
        torch.distributed.all_reduce(flat)
        flat /= self.world
        for buffer, mean in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
            buffer.copy_(mean.view_as(buffer))

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, on every rank."""
        if self.world == 1:
            return value
        return broadcast_object_list([value])[0]

    def barrier(self) -> None:
        """Wait for all processes."""
        self.accelerator.wait_for_everyone()

    def release(self) -> None:
        """Let go of what was prepared: Accelerate holds on to all networks that it has ever seen."""
        self.accelerator.free_memory()

    def print(self, text: str) -> None:
        """Print one line, once."""
        if self.is_main:
            print(text, flush=True)

    def close(self) -> None:
        """Leave the process group."""
        if self.world > 1:
            self.accelerator.end_training()
