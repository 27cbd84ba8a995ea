"""Fréchet and kernel distance: values by hand, and those of torchmetrics with the same feature network."""

import numpy as np
import pytest
import torch
from torch import nn

from segda import torchvision_compat
from segda.errors import DataError
from segda.export.fidelity import frechet_distance, kernel_distance


def test_frechet_by_hand() -> None:
    # Means 0 and 3, variances 1 and 4 (divisor N - 1): 9 + 1 + 4 - 2 * sqrt(1 * 4).
    first, second = np.array([[-1.0], [0.0], [1.0]]), np.array([[1.0], [3.0], [5.0]])
    assert frechet_distance(first, second) == pytest.approx(10.0)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-12)
    # Independent axes add up: the second moves by 2.
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert frechet_distance(corners, corners + [0.0, 2.0]) == pytest.approx(4.0)
    # One axis three times as wide: its variance is 12 in place of 4/3, and (sqrt(12) - sqrt(4/3))^2 = 16/3.
    assert frechet_distance(corners, corners * [1.0, 3.0]) == pytest.approx(16 / 3)


def test_kernel_by_hand() -> None:
    # k(1, 1) = 8, k(1, 0) = k(0, 0) = 1, k(2, 1) = 27, k(2, 0) = 1.
    # Within {0, 1}: 1. Within {1, 2}: 27. Across: (k(0,1) + k(0,2) + k(1,1) + k(1,2)) / 4 = (1 + 1 + 8 + 27) / 4.
    first, second = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert kernel_distance(first, second) == pytest.approx(1 + 27 - 2 * 37 / 4)
    # Two features: the product is divided by two before one is added.
    assert kernel_distance(np.ones((2, 2)), np.zeros((3, 2))) == pytest.approx(8 + 1 - 2)


def test_kernel_distance_is_unbiased() -> None:
    """The mean over draws from one distribution is 0, where the biased estimate stays above."""
    draw = np.random.default_rng(0)
    distances = [kernel_distance(draw.normal(size=(6, 3)), draw.normal(size=(6, 3))) for _ in range(3000)]
    assert abs(np.mean(distances)) < 4 * np.std(distances) / np.sqrt(len(distances))
    assert min(distances) < 0


class Features(nn.Module):
    """Stands for a network: the first pixels of an image as its features."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.flatten(1)[:, :12].float() / 255


def test_torchmetrics_agrees() -> None:
    """On more vectors than features, and, for the kernel, on one subset of all."""
    torchvision_compat.import_ready()  # torchmetrics imports torchvision
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    torch.manual_seed(0)
    first = torch.randint(0, 200, (60, 3, 4, 4), dtype=torch.uint8)
    second = torch.randint(50, 256, (40, 3, 4, 4), dtype=torch.uint8)
    network = Features()
    vectors = network(first).numpy(), network(second).numpy()
    metric = FrechetInceptionDistance(feature=network, input_img_size=(3, 4, 4)).set_dtype(torch.float64)
    metric.update(first, real=True)
    metric.update(second, real=False)
    assert frechet_distance(*vectors) == pytest.approx(float(metric.compute()), rel=1e-4)
    kernel = KernelInceptionDistance(feature=network, subsets=1, subset_size=40)
    kernel.update(first[:40], real=True)
    kernel.update(second, real=False)
    assert kernel_distance(vectors[0][:40], vectors[1]) == pytest.approx(float(kernel.compute()[0]), rel=1e-3)


def test_fewer_vectors_than_features() -> None:
    draw = np.random.default_rng(1)
    first, second = draw.normal(size=(5, 30)), draw.normal(size=(4, 30)) + 1
    covariances = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    values = np.linalg.eigvals(covariances[0] @ covariances[1])
    expected = np.square(first.mean(0) - second.mean(0)).sum() + np.trace(covariances[0]) + np.trace(covariances[1])
    expected -= 2 * np.sqrt(values.astype(complex)).real.sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="1x3 and 4x3"):
        kernel_distance(np.zeros((1, 3)), np.zeros((4, 3)))
    with pytest.raises(DataError, match="as many features"):
        frechet_distance(np.zeros((4, 2)), np.zeros((4, 3)))
