"""Makes timm and segmentation-models-pytorch importable with a CPU-only torch.

The package index's torchvision is built for CUDA. With a CPU-only torch its compiled library does not load, so the
operators that it declares there are missing, and `import torchvision` ends in "operator torchvision::nms does not
exist". The library's Python side needs only the operators' schemas to import; segda never calls the operators.
"""

import importlib.util
from importlib.machinery import PathFinder

import torch

# The operators that torchvision's Python files refer to while they are imported.
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_ready() -> None:
    """Declare the operators that torchvision cannot load; call it before importing timm, smp or torchvision.

    Does nothing where torchvision loads, is absent or already has them. An `import torchvision` that failed earlier in
    the same process does no harm: the next one succeeds.
    """
    if not _library_loads():
        for name, schema in _SCHEMAS.items():
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", schema)


def _library_loads() -> bool:
    """Whether torchvision's compiled library loads with this torch; loading it twice is harmless."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.submodule_search_locations is None:
        return True  # the import will say that torchvision is missing
    library = PathFinder.find_spec("_C", list(package.submodule_search_locations))
    if library is None or library.origin is None:
        return False
    try:
        torch.ops.load_library(library.origin)
    except OSError:
        return False
    return True
