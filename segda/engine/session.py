"""The processes of one launch and their device: the one place where Accelerate is configured."""

import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Literal, TypeVar, cast

import torch
from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS
from accelerate.utils import (
    DistributedDataParallelKwargs,
    GradientAccumulationPlugin,
    broadcast_object_list,
    gather_object,
    parse_flag_from_env,
)
from torch import Tensor, nn

from segda.engine import signals, synchronized_batch
from segda.engine.launcher import SharedError
from segda.engine.optimizers import clip_gradients, clips
from segda.engine.process_group import form_group
from segda.errors import ArtefactError, ConfigError, SegdaError
from segda.terminal.escape import escape

AGREE_EVERY = 10
"""Steps after which processes on GPUs ask one another whether to stop; on CPUs they do after each one."""

FILE_VISIBILITY_SECONDS = 90.0
"""Seconds that a process waits for files that rank 0 sees: network file systems may show old folders for a minute."""

Result = TypeVar("Result")
Precision = Literal["auto", "no", "fp16", "bf16"]

LAUNCHERS_PRECISION = "ACCELERATE_MIXED_PRECISION"
"""Set by `accelerate launch --mixed_precision`, to "no" where that option is left out."""


def resolve_precision(precision: Precision, cpu: bool) -> Literal["no", "fp16", "bf16"]:
    """What `auto` means here: what `accelerate launch` says, else bf16 on a GPU that computes in it, else fp32.

    Raises:
        ConfigError: half precision asked for on a CPU that does not compute in it, where it can be a hundred times
            slower than fp32; or the launcher asks for one that is none of `Precision`.
    """
    on_gpu = torch.cuda.is_available() and not cpu
    setting, remedy = "runtime.mixed_precision", "use 'auto' or 'no'"
    said = os.environ.get(LAUNCHERS_PRECISION, "").lower()
    if precision == "auto" and said:
        setting, remedy = f"{LAUNCHERS_PRECISION} (accelerate launch --mixed_precision)", "use 'no' there"
        if said not in ("no", "fp16", "bf16"):
            raise ConfigError(f"{setting}: {said!r}; expected 'no', 'fp16' or 'bf16'")
        precision = cast(Precision, said)
    if precision == "auto":
        return "bf16" if on_gpu and torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    if precision == "no" or on_gpu or (precision == "bf16" and cpu_computes_in_bf16()):
        return precision
    lacking = "fp16 is not trained in on CPUs"
    if precision == "bf16":
        lacking = "without AMX or AVX512-BF16 it is far slower than fp32"
    raise ConfigError(f"{setting}: {precision!r} asked for on a CPU; {lacking}; {remedy}")


def cpu_computes_in_bf16() -> bool:
    """Whether this processor multiplies in bf16 (AMX; AVX512-BF16), 1.2 to 2.3 times as fast as in fp32."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 does not tell
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


class Session:
    """One launch: its processes, device and precision. Every stage of a pipeline runs in the same one."""

    def __init__(self, mixed_precision: Precision = "auto", cpu: bool = False) -> None:
        """Join the process group that the launcher described, if any.

        With `cpu`, stay on the CPU although there is a GPU, as `accelerate launch --cpu` also says.

        Raises:
            ConfigError: see `form_group` and `resolve_precision`.
        """
        torch.set_flush_denormal(True)  # with numbers below 1e-38, a step can take half as long again on a CPU
        # Without CUDA the CPU: accelerate would take the GPU of an Apple processor, on which nothing here was tried.
        cpu = form_group(cpu or not torch.cuda.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU"))
        self.configured_precision = mixed_precision
        self.mixed_precision = resolve_precision(mixed_precision, cpu)
        # Buffers are averaged by `average_buffers`: broadcasting them in forward would change tensors that the
        # backward of an earlier call of the same network still needs.
        wrapping = DistributedDataParallelKwargs(broadcast_buffers=False)
        self.accelerator = Accelerator(
            mixed_precision=self.mixed_precision,
            cpu=cpu,
            kwargs_handlers=[wrapping],
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

    def summary(self) -> str:
        """One line: the number of processes, on what, in which precision and who says so, with how many threads."""
        device = f"GPU ({torch.cuda.get_device_name(self.device)})" if self.device.type == "cuda" else self.device.type
        precision, said = self.mixed_precision.replace("no", "fp32"), os.environ.get(LAUNCHERS_PRECISION, "").lower()
        if said and self.configured_precision == "auto":
            precision += " (as accelerate launch says)"
        elif said not in ("", self.configured_precision):
            precision += f" (as configured, although accelerate launch says {said!r})"
        several, threads = self.world > 1, torch.get_num_threads()
        return (
            f"{self.world} process{'es' if several else ''} on {device.replace('cpu', 'CPU')}, {precision}, "
            f"{threads} thread{'s' if threads > 1 else ''}{' each' if several else ''}"
        )

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

    @contextmanager
    def exchanging_gradients(self, networks: Mapping[str, nn.Module], exchange: bool) -> Iterator[None]:
        """Around a forward and backward pass: whether the processes average the gradients in it, once a step."""
        with ExitStack() as stack:
            for network in networks.values() if not exchange else ():
                stack.enter_context(self.accelerator.no_sync(network))
            yield

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`, scaled where fp16 needs it."""
        self.accelerator.backward(loss)

    def step(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Step all optimizers on the gradients collected, clipped; under fp16 they share one loss scale."""
        players = list(optimizers)
        scaler = self.accelerator.scaler
        for optimizer in players:
            if clips(optimizer):
                if scaler is not None:
                    scaler.unscale_(optimizer)
                clip_gradients(optimizer)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
        if scaler is not None:
            scaler.update()

    def gather(self, tensor: Tensor) -> Tensor:
        """The processes' tensors (of equal shape) concatenated along the first dimension in rank order.

        They come back to the device that `tensor` is on; processes exchange what lies on their own device alone.
        """
        if self.world == 1:
            return tensor
        own = tensor.to(self.device).contiguous()
        pieces = [torch.empty_like(own) for _ in range(self.world)]
        torch.distributed.all_gather(pieces, own)
        return torch.cat(pieces).to(tensor.device)

    def gather_samples(self, tensor: Tensor) -> Tensor:
        """As `gather`, with gradients; see `segda.engine.synchronized_batch.gather`.

        Raises:
            ConfigError: the processes have different numbers of samples.
        """
        if self.world == 1:
            return tensor
        counts = self.gather(torch.tensor([len(tensor)], device=self.device)).tolist()
        if len(set(counts)) > 1:
            raise ConfigError(
                f"runtime.gather_statistics: the processes have {counts} samples of a batch, expected equal numbers; "
                "set `crop`, so that images are of one size"
            )
        return synchronized_batch.gather(tensor, self.gather, self.rank)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of the processes' tensors, in their own dtype, so that int64 counts stay exact."""
        if self.world == 1:
            return tensor
        total = tensor.to(self.device).clone()
        torch.distributed.all_reduce(total)
        return total.to(tensor.device)

    def max(self, number: int) -> int:
        """The largest of the processes' whole numbers, on all of them."""
        if self.world == 1:
            return number
        found = torch.tensor([number], device=self.device)
        torch.distributed.all_reduce(found, torch.distributed.ReduceOp.MAX)
        return int(found)

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
        return value if self.world == 1 else broadcast_object_list([value])[0]

    def gather_objects(self, value: Result) -> list[Result]:
        """All processes' values in rank order, on every rank."""
        return [value] if self.world == 1 else cast(list[Result], gather_object([value]))

    def loss_scale(self) -> float:
        """What losses are multiplied by under fp16, so that small gradients are not lost; else 1."""
        scaler = self.accelerator.scaler
        return 1.0 if scaler is None else float(scaler.get_scale())

    def on_main(self, work: Callable[[], Result]) -> Result:
        """What `work()` returns on rank 0, on every rank; an error of rank 0 is raised on every rank."""
        outcome: tuple[Result | None, BaseException | None] = (None, None)
        if self.is_main:
            try:
                outcome = (work(), None)
            except (SegdaError, OSError) as error:
                outcome = (None, error)
        value, failure = self.broadcast(outcome)
        if failure is not None:
            raise failure if self.is_main else SharedError() from failure
        return cast(Result, value)

    def same_everywhere(
        self,
        what: str,
        look: Callable[[Any], tuple[Result, Any]],
        patience: float | None = None,
        remedy: str = "all processes must see the same files: wait until they do, then run the same command again",
    ) -> Result:
        """What `look` finds, on every rank what rank 0 finds, though a file system may show it files later than others.

        Rank 0 looks once and so decides. The others look until they find the same; where one does not, all fail.

        Args:
            what: what is looked at, for the error.
            look: gives what it finds, and a mark: plain data that is equal where the same was found. It is called with
                rank 0's mark, on rank 0 with `None`, and may raise SegdaError or OSError for what is not there yet.
            patience: seconds to look for; `FILE_VISIBILITY_SECONDS` if `None`.
            remedy: the end of the error.

        Raises:
            ArtefactError: a rank does not find what rank 0 finds.
        """
        found: list[Result] = []

        def lead() -> Any:
            value, own = look(None)
            found.append(value)
            return own

        mark = self.on_main(lead)
        problem = ""
        if not self.is_main:
            problem = self._followed(look, mark, found, FILE_VISIBILITY_SECONDS if patience is None else patience)
        late = [f"process {rank} {text}" for rank, text in enumerate(self.gather_objects(problem)) if text]
        if late:
            if not self.is_main:
                raise SharedError()
            raise ArtefactError(f"{what}: {late[0]}, process 0 finds {mark}; {remedy}")
        return found[0]

    @staticmethod
    def _followed(look: Callable[[Any], tuple[Result, Any]], mark: Any, found: list[Result], patience: float) -> str:
        """Look until `mark` is found, and put what has it into `found`; what was wrong at last, or nothing."""
        end = time.monotonic() + patience
        while True:
            try:
                value, own = look(mark)
                if own == mark:
                    found.append(value)
                    return ""
                problem = f"finds {own}"
            except (SegdaError, OSError) as error:
                problem = f"fails ({error})"
            if time.monotonic() >= end:
                return f"{problem} after {patience:.0f} s"
            time.sleep(min(0.2, patience))

    def stop_requested(self, step: int) -> int:
        """The number of a signal that asked any process to stop, 0 if none did; to be called after every step.

        All processes stop after the same step, or they would wait for one another forever. Asking costs little on a
        CPU; a GPU would have to be waited for, so several ask after every `AGREE_EVERY` steps only.
        """
        if self.world > 1 and self.device.type != "cpu" and step % AGREE_EVERY:
            return 0
        return self.max(signals.requested())

    def barrier(self) -> None:
        """Wait for all processes."""
        self.accelerator.wait_for_everyone()

    def release(self) -> None:
        """Let go of what was prepared: Accelerate holds on to all networks that it has ever seen."""
        self.accelerator.free_memory()

    def start_tracker(self, name: str, /, *arguments: Any, **options: Any) -> Any:
        """One of Accelerate's trackers, such as `tensorboard`, at work; what else is given is its constructor's."""
        tracker = LOGGER_TYPE_TO_CLASS[name](*arguments, **options)
        if hasattr(tracker, "start"):  # constructors of earlier versions start it
            tracker.start()
        return tracker

    def print(self, text: str) -> None:
        """Print one line, once."""
        if self.is_main:
            print(escape(text), flush=True)

    def close(self) -> None:
        """Leave the process group."""
        if self.world > 1:
            self.accelerator.end_training()


class Local:
    """In place of a `Session`, for steps that are thrown away: this process exchanges nothing with others."""

    def __init__(self, session: Session | None = None) -> None:
        """Take the session that networks were prepared for, if they were."""
        self._session = session

    def prepare(self, modules: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
        """The networks as the session prepares them; without one, as they are."""
        return self._session.prepare(modules) if self._session else dict(modules)

    def gather(self, tensor: Tensor) -> Tensor:
        """This process's tensor alone."""
        return tensor

    def exchanging_gradients(self, networks: Mapping[str, nn.Module], exchange: bool) -> AbstractContextManager[None]:
        """Gradients stay in this process, whatever `exchange` asks for."""
        return self._session.exchanging_gradients(networks, False) if self._session else nullcontext()

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss`."""
        loss.backward()

    def loss_scale(self) -> float:
        """Losses are not scaled."""
        return 1.0

    def step(self, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Step all optimizers on their gradients, clipped."""
        for optimizer in optimizers:
            if clips(optimizer):
                clip_gradients(optimizer)
            optimizer.step()

    def average_buffers(self, modules: Mapping[str, nn.Module]) -> None:
        """Running statistics stay this process's own."""
