"""What three steps of every method change, as a few numbers a network, compared with those of earlier commits.

Bytes are equal only on one kind of processor (`tools/compare_commits` compares them there); these numbers, computed in
float64, are compared up to rounding anywhere. `parameters.json` is written again if an issue asks for another result,
or if the jobs of this folder change:

    OMP_NUM_THREADS=1 python -m tests.distributed.write_parameters
"""

import json
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.distributed import conftest as distributed
from tests.distributed.test_two_processes import initial, state

FILE = Path(__file__).with_name("parameters.json")


def numbers(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, list[float]]:
    """Network to three numbers.

    The sum of absolute initial values; the sum of the absolute changes; the changes' product with a fixed vector of
    values in [-1, 1], in which signs and positions count.
    """
    totals: dict[str, list[float]] = {}
    for name in sorted(before):
        old, change = before[name].flatten(), (after[name] - before[name]).flatten()
        index = torch.arange(1, old.numel() + 1, dtype=torch.float64)
        sums = torch.stack([old.abs().sum(), change.abs().sum(), (change * (index * index.sqrt()).sin()).sum()])
        network = name.split("/")[1].split(".")[0]
        totals[network] = [a + float(b) for a, b in zip(totals.get(network, [0.0] * 3), sums, strict=True)]
    return {network: [float(f"{value:.8g}") for value in values] for network, values in totals.items()}


def of_method(file: Path, runs: distributed.Runs, method: str) -> dict[str, list[float]]:
    before = initial(file, method)
    if method == "adda":  # both encoders and the head begin as those of a trained stage
        for name in before:
            network, key = name.removeprefix("networks/").split("/")
            trained = runs.folder("segmenter") / "networks" / f"{network.split('.')[0]}.safetensors"
            if trained.is_file():
                before[name] = load_file(trained)[key]
    return numbers(before, state(runs, method))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        file = distributed.write(Path(folder))
        only = (*distributed.SHARED, "export", *distributed.NAMES)
        runs = distributed.run(file, Path(folder, "runs"), only=only)
        content = {method: of_method(file, runs, method) for method in distributed.NAMES}
    lines = [f" {json.dumps(method)}: {json.dumps(networks)}" for method, networks in content.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
