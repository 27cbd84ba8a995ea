"""Out of memory as one line that names the stage and the settings that help."""

from pipelines.definition.schema import StageConfig, TrainingConfig
from segda.engine.out_of_memory import out_of_memory_reason
from segda.errors import ResourceError, SegdaError


def explain_out_of_memory(name: str, config: StageConfig, error: BaseException) -> ResourceError | None:
    """A stage's error as a line that says what of its config to make smaller; `None` where it is not about memory."""
    reason = None if isinstance(error, SegdaError) else out_of_memory_reason(error)
    if reason is None:
        return None
    return ResourceError(
        f"stages.{name}: memory does not suffice ({reason}); {_remedy(name, config, reason, str(error))}, then run the "
        "same command again: what is there is kept"
    )


def _remedy(name: str, config: StageConfig, reason: str, message: str) -> str:
    workers = config.runtime.workers if config.runtime.workers is not None else "chosen by cores"
    if "shared memory" in reason:
        return "set runtime.workers to 0 (--workers 0), or give /dev/shm more room"
    if "killed by signal" in reason or "DataLoader worker" in message:
        return f"use fewer processes that load data (runtime.workers is {workers}; --workers 0), or smaller images"
    if isinstance(config, TrainingConfig):
        value = f"now {config.accumulate}, at most the batch of {config.batch}"
        found = " or add --set runtime.fit_memory=true, which finds it"
        if config.runtime.fit_memory:
            value, found = f"to more than was found to fit, at most the batch of {config.batch}", ""
        return (
            f"raise stages.{name}.accumulate ({value}){found}; else lower its batch or crop, or runtime.workers (now "
            f"{workers})"
        )
    smaller = {"tile": "tile", "augmentation": "augmentation.window", "data": "data.resize"}
    settings = [f"stages.{name}.{setting}" for field, setting in smaller.items() if hasattr(config, field)]
    return f"set {' or '.join(settings)} to work on less at a time" if settings else "end other programs"
