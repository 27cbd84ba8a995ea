"""About how much memory the stages of a plan will take: their own steps, at full size, on tensors that hold nothing.

So all that a step holds at its highest is counted, in seconds and without the memory; the optimizers' states are added.
Left out: processes that load data, copies that several processes exchange, libraries' work space.
"""

from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import torch

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import Size, TrainingConfig
from pipelines.networks import build_task, networks_at_random
from pipelines.planning import disk as space
from pipelines.planning import meta_step
from pipelines.planning.disk import DiskEstimate
from pipelines.planning.meta_step import OnMeta, meta_batch
from pipelines.planning.plan import StagePlan
from pipelines.stages.evaluate import Config as EvaluateConfig
from pipelines.stages.export.config import Config as ExportConfig
from pipelines.stages.export.translation import Translator, tiling_of
from segda.disk import free_space, readable_size
from segda.engine.diagnostics import Diagnostics
from segda.engine.fit import Schedule, update
from segda.engine.peak_memory import DEVICE, MetaPeakMemory
from segda.engine.state import TrainingState
from segda.evaluation import test_time_augmentation
from segda.terminal.table import to_lines


class MemoryEstimate:
    """The memory that a plan's stages take."""

    def __init__(self, pipeline: Pipeline, sizes: DiskEstimate) -> None:
        """Args: pipeline, and what is known of its data sets' sizes."""
        self.pipeline, self.sizes = pipeline, sizes
        self._known: dict[str, int] = {}
        self._process = _process()

    def of(self, stage: Stage) -> int | None:
        """Bytes at a stage's highest, this process itself included; `None` where that is not known beforehand."""
        try:
            if isinstance(stage.config, TrainingConfig):
                return self._process + self.training(stage.config, self.sizes.seen(stage))
            if stage.kind in ("evaluate", "export"):
                return self._process + self._inferring(stage)
        except Exception:  # data or components that nobody here knows: a run will say what is wrong with them
            return None
        return None

    def training(self, config: TrainingConfig, size: Size) -> int:
        """Bytes of the tensors of a training stage whose networks see images of `size`."""
        # Stages alike in this share a result.
        fields = {"method", "networks", "optimizer", "discriminator_optimizer", "ema", "batch", "accumulate"}
        name = f"{config.model_dump(include=fields)} {size} {config.runtime.recompute}"
        if name not in self._known:
            self._known[name] = self._training(config, size)
        return self._known[name]

    def _training(self, config: TrainingConfig, size: Size) -> int:
        with MetaPeakMemory() as peak:
            with DEVICE:
                state = self.assembled(config)
            for module in state.modules.values():  # of the previous step
                for parameter in module.parameters():
                    parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
            state.step = 1  # of two, so that weights which rise from 0 count
            schedule, alone = Schedule(steps=2, accumulate=min(2, config.accumulate)), OnMeta()
            batch = meta_batch(config.batch // config.accumulate, size)
            update(state, repeat(batch), alone, schedule, Diagnostics(state, alone, classes=1))
        return peak.most + space.optimizer_bytes(config, state.modules) + space.image_pool_bytes(config, size)

    def assembled(self, config: TrainingConfig) -> TrainingState:
        """All that trains, on random parameters."""
        return meta_step.assembled(self.pipeline, config)

    def _inferring(self, stage: Stage) -> int:
        """Bytes of the tensors of a stage whose networks learn nothing: those of its largest row, or its translator."""
        config = stage.config
        assert isinstance(config, EvaluateConfig | ExportConfig)
        own = self.sizes.extent(stage, config.data, False).size
        most = 0
        for reference in config.rows.values() if isinstance(config, EvaluateConfig) else [config.translator]:
            if reference is None:
                continue
            origin = self.pipeline.stages[reference.stage].config
            assert isinstance(origin, TrainingConfig)
            task = build_task(origin.task)
            with torch.no_grad(), MetaPeakMemory() as peak:
                with DEVICE:
                    networks = networks_at_random(origin, origin.method)
                    is_windowed = isinstance(config, EvaluateConfig) and config.augmentation.window is not None
                    kind = torch.uint8 if is_windowed else torch.float32
                    image = torch.zeros(1, 3, *(config.data.resize or own), dtype=kind)
                for built in networks.modules.values():
                    built.eval()
                if isinstance(config, EvaluateConfig):
                    augmentation = config.augmentation.build()
                    test_time_augmentation.predict(networks, task, image, own, augmentation)
                else:
                    Translator(networks, ("target",), DEVICE, tiling_of(config)).decode(image, "source", "target")
            most = max(most, peak.most)
        return most


def _process() -> int:
    """Bytes that this process holds already: the interpreter and the libraries."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 300 << 20


def lines(pipeline: Pipeline, plan: Sequence[StagePlan], root: Path) -> list[str]:
    """What is left to do, a line a stage: its memory and disk, about; then the disk in all beside what is free."""
    sizes = DiskEstimate(pipeline, plan)
    memory, disk = MemoryEstimate(pipeline, sizes), space.needed(sizes)
    rows = [("stage", "memory", "disk")]
    for planned in plan:
        if planned.state in ("run", "resume"):
            most = memory.of(pipeline.stages[planned.stage])
            rows.append((planned.stage, _about(most), _about(disk.get(planned.stage))))
    free = f"{readable_size(free_space(root))} free in {root}"
    total = f"disk in all {_about(sum(disk.values()))}; {free}"
    return ["about, for what is left to do (-: unknown):", *to_lines(rows), total]


def _about(count: int | None) -> str:
    return "-" if count is None else readable_size(count)
