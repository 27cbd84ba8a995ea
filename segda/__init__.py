"""segda: carry a segmentation network from labelled synthetic images to unlabelled photographs.

What is named here is the library's interface: see docs/python.md. It is imported when it is first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.from_python import dataset, evaluate, load, method, run
    from pipelines.sharing.data_set import share_dataset
    from segda.errors import SegdaError

__version__ = "0.1.0"

__all__ = ["SegdaError", "__version__", "dataset", "evaluate", "load", "method", "run", "share_dataset"]

_ORIGIN = {
    "SegdaError": "segda.errors",
    "share_dataset": "pipelines.sharing.data_set",
    **dict.fromkeys(("dataset", "evaluate", "load", "method", "run"), "pipelines.from_python"),
}


def __getattr__(name: str) -> Any:
    """The public function `name`, imported now."""
    if name not in _ORIGIN:
        raise AttributeError(f"module 'segda' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_ORIGIN[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted({*globals(), *__all__})
