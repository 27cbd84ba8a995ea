"""`--plan --memory 11GB`: the largest crop with which a step of each training stage fits into a memory.

A step's tensors are counted as in `pipelines.planning.memory`, at the configured size and at twice its sides. A linear
model of bytes over pixels gives the largest crop, where they are counted once more.
"""

import re
from collections.abc import Sequence

from pipelines.definition.pipeline import Pipeline, Stage
from pipelines.definition.schema import Size, TrainingConfig, data_fields
from pipelines.networks import networks_on_meta, output_stride
from pipelines.planning.disk import DiskEstimate
from pipelines.planning.memory import MemoryEstimate
from pipelines.planning.plan import StagePlan
from segda.disk import readable_size
from segda.errors import ConfigError
from segda.terminal.table import to_lines

UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
NOTE = (
    "Counted are a step's tensors in float32. In addition: on a GPU the libraries' work space, which differs from card "
    "to card; on a CPU the process itself, about half a GB."
)


def bytes_of(text: str) -> int:
    """A size such as `11GB`, `10.5 GiB` or `800MB` in bytes.

    Raises:
        ConfigError: it is no size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text)
    unit = UNITS.get(match[2].upper()) if match else None
    count = int(float(match[1]) * unit) if match and unit else 0
    if count < 1:
        raise ConfigError(f"--memory: found {text!r}; expected a number above 0 with MB, GB, MiB or GiB, such as 11GB")
    return count


def configured(memory: MemoryEstimate, stage: Stage) -> tuple[Size, int] | None:
    """The size that a stage's networks see, and the bytes of a step; `None` where they cannot be estimated."""
    assert isinstance(stage.config, TrainingConfig)
    try:
        size = memory.sizes.seen(stage)
        return size, memory.training(stage.config, size)
    except Exception:  # data or components that cannot be read: the run reports what is wrong with them
        return None


def largest(memory: MemoryEstimate, stage: Stage, limit: int) -> tuple[Size, int] | None:
    """The largest crop whose step takes at most `limit` bytes, and the bytes that it takes; `None` for none.

    It has the ratio of height and width of the configured one, as close as the encoder's stride allows, and is no
    larger than the stage's images, if they are there.
    """
    config = stage.config
    assert isinstance(config, TrainingConfig)
    own = configured(memory, stage)
    if own is None:
        return None
    size, need = own
    stride = output_stride(networks_on_meta(config, config.method))
    double = 2 * size[0], 2 * size[1]  # half of it may be too small for a network
    try:
        slope = (memory.training(config, double) - need) / (3 * size[0] * size[1])
    except ConfigError:  # networks for images of one size
        return own if need <= limit else None
    bound, rows = _bound(memory, stage), 0
    for rows in range(10**4):  # more steps of the stride than any image has
        crop = _sized(rows + 1, size, stride)
        estimate = need + slope * (crop[0] * crop[1] - size[0] * size[1])
        if estimate > limit or any(side > most for side, most in zip(crop, bound, strict=True)):
            break
    for row in range(rows, 0, -1):  # the model is a little off where maps are padded
        crop = _sized(row, size, stride)
        try:
            exact = memory.training(config, crop)
        except ConfigError:  # too small for a network
            return None
        if exact <= limit:
            return crop, exact
    return None


def _bound(memory: MemoryEstimate, stage: Stage) -> tuple[float, float]:
    """The least height and width of the images of a stage's data sets, as they are resized."""
    height = width = float("inf")
    for data, _ in data_fields(stage.config).values():
        try:
            size = data.resize or memory.sizes.extent(stage, data, False).size
        except Exception:  # its files are not here
            continue
        height, width = min(height, size[0]), min(width, size[1])
    return height, width


def _sized(rows: int, size: Size, stride: int) -> Size:
    """The crop of `rows` times the stride in height, with the ratio of `size`."""
    height = rows * stride
    return height, max(round(height * size[1] / size[0] / stride), 1) * stride


def lines(pipeline: Pipeline, plan: Sequence[StagePlan], limit: str) -> list[str]:
    """A line for each stage left to train: its crop and the bytes of a step, then the largest crop that fits.

    Raises:
        ConfigError: `limit` is no size; see `bytes_of`.
    """
    most = bytes_of(limit)
    memory = MemoryEstimate(pipeline, DiskEstimate(pipeline, plan))
    rows = [("stage", "batch", "crop", "takes", "largest", "takes")]
    for planned in plan:
        stage = pipeline.stages[planned.stage]
        if isinstance(stage.config, TrainingConfig) and planned.state in ("run", "resume", "data missing"):
            own, best = configured(memory, stage), largest(memory, stage, most)
            rows.append((stage.name, str(stage.config.batch // stage.config.accumulate), *_cells(own), *_cells(best)))
    if len(rows) == 1:
        return [f"crops for {limit}: nothing is left to train"]
    return [f"crops (height x width) for {limit} (-: none, or unknown):", *to_lines(rows), NOTE]


def _cells(crop: tuple[Size, int] | None) -> tuple[str, str]:
    return ("-", "-") if crop is None else (f"{crop[0][0]}x{crop[0][1]}", readable_size(crop[1]))
