"""Where a result comes from: the code, packages, machine, settings and command that made it. Not part of a key."""

import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from pipelines.definition.validation_cache import installed_version
from segda.engine.session import Session

PACKAGES = (
    "segda", "torch", "torchvision", "timm", "segmentation-models-pytorch", "opencv-python-headless",
    "kornia", "accelerate", "numpy", "scipy", "scikit-learn", "pillow", "h5py", "safetensors", "pydantic",
)  # fmt: skip
#: Variables of the environment that can change a result.
VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "PYTHONHASHSEED", "SEGDA_DATA",
    "SEGDA_IMPORTED", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "ATEN_CPU_CAPABILITY", "ACCELERATE_USE_CPU", "ACCELERATE_MIXED_PRECISION",
)  # fmt: skip


def provenance(session: Session, seconds: float, seed: int | None = None) -> dict[str, Any]:
    """What a manifest says of the launch that made it; the stage took `seconds`."""
    return {
        **_git(),
        "packages": {name: version for name in PACKAGES if (version := installed_version(name))},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "threads": torch.get_num_threads(),
        "device": str(session.device),
        **_gpu(session),
        "mixed_precision": session.mixed_precision,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "world_size": session.world,
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "seconds": round(seconds, 1),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seed": seed,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def _gpu(session: Session) -> dict[str, Any]:
    """Model, driver and libraries of the GPU that is computed on; nothing on a CPU."""
    if session.device.type != "cuda":
        return {}
    return {
        "gpu": torch.cuda.get_device_name(session.device),
        "driver": output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "--id=0"),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def _cpu() -> str:
    """The processor's model, if the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _git() -> dict[str, Any]:
    """Commit of the code that runs and whether it was changed since; nulls outside a checkout."""
    folder = str(Path(__file__).parent)
    changes = output_of("git", "-C", folder, "status", "--porcelain", "--untracked-files=no")
    commit = output_of("git", "-C", folder, "rev-parse", "HEAD")
    return {"git": commit, "dirty": None if changes is None else bool(changes)}


def output_of(*command: str) -> str | None:
    """The output of a program; `None` if there is no such program, or it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
