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


def import_ready(*packages: str) -> None:
    """Import torchvision, with the operators that its library lacks declared, and then `packages`: timm or smp.

    On the CPU: their modules make tensors, which fails where a caller builds its networks on the device `meta`.

    Only an import tells whether the library loads, whatever its file is called; declaring an operator that it registers
    later would abort the interpreter. An import that failed before does no harm: the next one succeeds.

    Raises:
        ImportError: one of them is missing, or torchvision does not go with this torch.
    """
    with torch.device("cpu"):
        _import_torchvision()
        for package in packages:
            importlib.import_module(package)


def _import_torchvision() -> None:
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
