"""Makes timm and segmentation-models-pytorch importable with a CPU-only torch.

The package index's torchvision is built for CUDA. With a CPU-only torch its compiled library does not load, so the
operators that it declares there are missing, and `import torchvision` ends in "operator torchvision::nms does not
exist". The library's Python side needs only the operators' schemas to import; segda never calls the operators.
"""

import importlib

import torch

# The operators that torchvision's Python files refer to while they are imported.
_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> None:
    """Import torchvision, before timm or smp do so; operators that its library lacks are declared first.

    Only an import tells whether the library loads, whatever its file is called; declaring an operator that it registers
    later would abort the interpreter. An import that failed before does no harm: the next one succeeds.

    Raises:
        ImportError: torchvision is missing, or does not go with this torch.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name, schema in _SCHEMAS.items():
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(f"torchvision::{name}", schema)
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            raise ImportError(f"{error}; found with torch {torch.__version__}", name="torchvision") from error
