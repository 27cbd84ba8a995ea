"""Makes timm and segmentation-models-pytorch importable next to a CPU-only torch.

The torchvision of PyPI is built for CUDA. With a CPU-only torch its compiled library does not load, its operators are
missing, and `import torchvision` fails with "operator torchvision::nms does not exist". Its Python files need only the
operators' schemas; segda never calls the operators.
"""

import importlib.util
from importlib.machinery import PathFinder

import torch

# The operators that torchvision's Python files refer to on import.
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_ready() -> None:
    """Declare the operators that torchvision cannot load; call it before importing timm, smp or torchvision.

    Does nothing where torchvision is whole, absent or already fixed. After an earlier `import torchvision` of the same
    process that failed, the next one succeeds.
    """
    if not _library_loads():
        for name, schema in _SCHEMAS.items():
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", schema)


def _library_loads() -> bool:
    """Whether torchvision's compiled library loads with this torch; loading it twice is harmless."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.submodule_search_locations is None:
        return True  # nothing to fix: the import will say that torchvision is missing
    library = PathFinder.find_spec("_C", list(package.submodule_search_locations))
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)
    except OSError:
        return False
    return True
