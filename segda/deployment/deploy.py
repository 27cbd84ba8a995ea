"""A network in the format that the ending of a file names."""

from pathlib import Path

from torch import nn

from segda.deployment.deployed import Deployed, Example, demand_format


def deploy(network: nn.Module, example: Example, path: Path) -> Deployed:
    """The network, in evaluation mode on the CPU, in the format of the file `path`, which is not written.

    Raises:
        ConfigError: the network cannot be traced, a package is missing, or no format has that ending.
    """
    format = demand_format(path)
    if format == "TorchScript":
        from segda.deployment.torchscript import TorchScript

        return TorchScript(network, example)
    from segda.deployment.torch_export import TorchExport, traced

    if format == "torch.export":
        return TorchExport(traced(network, example))
    from segda.deployment import onnx_format

    onnx_format.demand_packages()  # before the work
    return onnx_format.Onnx(onnx_format.translated(traced(network, example)))
