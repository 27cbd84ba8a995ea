"""Lack of memory: how it shows itself, and the largest micro-batch that fits.

Nothing heavy is imported here: the command line asks for the reason of an error before torch is loaded.
"""

import gc
import sys
from collections.abc import Callable

# By their words, since torch, OpenCV and the data loader raise a plain RuntimeError (or a class of their own) for this.
# "killed by signal: Killed": the kernel has taken a process that loads data, most likely the largest at that moment.
SIGNS = (
    "out of memory", "can't allocate memory", "not enough memory", "Insufficient memory", "Failed to allocate",
    "Unable to allocate", "Cannot allocate memory", "std::bad_alloc", "killed by signal: Killed",
    "out of shared memory", "unable to allocate shared memory",
)  # fmt: skip


def out_of_memory_reason(error: BaseException) -> str | None:
    """What an error, or the one behind it, says of lacking memory, in one sentence; `None` where none does."""
    behind: BaseException | None = error
    seen: list[BaseException] = []
    while behind is not None and behind not in seen:  # an error that is raised "from" itself goes in a circle
        said = _said(behind)
        if said is not None:
            return said
        seen.append(behind)
        behind = behind.__cause__
    return None


def _said(error: BaseException) -> str | None:
    known = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    words = str(error)
    sign = next((sign for sign in SIGNS if sign.lower() in words.lower()), None)
    from_a_library = isinstance(error, RuntimeError | OSError) or type(error).__module__ == "cv2"
    if not known and not (sign and from_a_library):
        return None
    if sign is None:
        return "out of memory"
    # torch tells a whole story, and an error in a process that loads data comes with its traceback.
    line = next(line for line in words.splitlines() if sign.lower() in line.lower())
    start = line.lower().index(sign.lower())
    before, after = line[:start].rpartition(". ")[2], line[start:].partition(". ")[0]
    return " ".join((before + after).split()).rstrip(".")


def smallest_accumulate(share: int, first: int, fits: Callable[[int], bool]) -> int | None:
    """The least number of micro-batches with which a step fits into memory; `None` when none does.

    `accelerate.utils.find_executable_batch_size` does the like, but halves a batch where only a divisor can be had,
    knows no MemoryError, and lets each process come to a number of its own.

    The number is at least `first` and divides `share`, the samples of a step in this process. `fits` tries a step; all
    processes give the same answer.
    """
    for accumulate in range(first, share + 1):
        if share % accumulate == 0 and fits(accumulate):
            return accumulate
    return None


def fits_in_memory(attempt: Callable[[], object]) -> bool:
    """Whether an attempt gets by with the memory that there is. Nothing of it is kept.

    Raises:
        Exception: it fails for another reason.
    """
    try:
        attempt()
    except (MemoryError, RuntimeError, OSError) as error:
        if out_of_memory_reason(error) is None:
            raise
        return False
    finally:
        # The error's traceback held the attempt's tensors until here.
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True
