"""Networks as ONNX, run by ONNX Runtime; static quantisation to 8 bits."""

import importlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from segda.deployment.deployed import METADATA
from segda.errors import ConfigError, reason

INPUT = "image"
OUTPUT = "output"
_AXES = ("batch", "3", "height", "width")


def demand_packages() -> None:
    """Refuse to go on without the packages that write and run ONNX.

    Raises:
        ConfigError: one is missing or broken.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise ConfigError(
                f"{package} is missing or broken ({reason(error)}), which ONNX files need: pip install 'segda[onnx]'"
            ) from error


def translated(program: ExportedProgram) -> Any:
    """A program as an ONNX model, whose input is called `image` and whose output `output`.

    Raises:
        ConfigError: ONNX lacks an operator of the network.
    """
    try:
        with _quiet():
            made = torch.onnx.export(
                program, (), input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
            )
        assert made is not None
        model = made.model_proto
    except (RuntimeError, ValueError, TypeError) as error:
        cause = error.__cause__ or error  # the exporter wraps it in advice for its developers
        raise ConfigError(f"ONNX cannot express the network ({reason(cause)}); write a .pt2 file") from error
    for name, axis in zip(_AXES, model.graph.input[0].type.tensor_type.shape.dim, strict=True):
        if not axis.HasField("dim_value"):
            axis.dim_param = name
    return model


def quantised(model: Any, images: Iterable[np.ndarray]) -> Any:
    """The model with weights and activations of 8 bits, by the ranges that activations have on `images`.

    Args:
        model: of `translated`.
        images: `[1, 3, H, W]`, of the type that the network takes.

    Raises:
        ConfigError: ONNX Runtime cannot quantise the network.
    """
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.images = iter(images)

        def get_next(self) -> dict[str, np.ndarray] | None:
            image = next(self.images, None)
            return None if image is None else {INPUT: image}

    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, prepared, made = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "made"))
        onnx.save(model, given)  # of a model in memory it would move the weights out
        try:
            quantization.shape_inference.quant_pre_process(str(given), str(prepared), skip_symbolic_shape=True)
            quantization.quantize_static(str(prepared), str(made), Reader(), per_channel=True)
        except Exception as error:  # its own classes have no common base
            raise ConfigError(f"ONNX Runtime cannot quantise the network ({reason(error)}); leave out int8") from error
        return onnx.load(made)


class Onnx:
    """An ONNX model in ONNX Runtime, on the CPU.

    Attributes:
        model: the model, `onnx.ModelProto`.
        versions: see `Deployed`.
    """

    def __init__(self, model: Any) -> None:
        """Open the model.

        Raises:
            ConfigError: ONNX Runtime lacks an operator of it, or it is too large for a file.
        """
        import onnx
        import onnxruntime

        self.model = model
        [opset] = (each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
        self.versions: Mapping[str, str | int] = {
            "opset": opset, "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "torch": torch.__version__
        }  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # warnings are of shapes that it cannot infer
        options.intra_op_num_threads = torch.get_num_threads()
        content = self.content("{}")
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes have no common base
            raise ConfigError(f"ONNX Runtime cannot run the network ({reason(error)}); write a .pt2 file") from error

    def __call__(self, image: Tensor) -> Tensor:
        """The output for images, by ONNX Runtime."""
        [output] = self._session.run(None, {INPUT: image.numpy()})
        return torch.from_numpy(output)

    def content(self, metadata: str) -> bytes:
        """All of the file.

        Raises:
            ConfigError: it has more than 2 GB, which an ONNX file cannot hold.
        """
        import onnx

        onnx.helper.set_model_props(self.model, {METADATA: metadata})
        try:
            whole: bytes = self.model.SerializeToString()
        except ValueError as error:
            raise ConfigError(f"ONNX files hold up to 2 GB ({reason(error)}); use fp16 or a .pt2 file") from error
        return whole


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings and notes of the exporters, which no user can act on."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
