"""CORAL in closed form: the linear map that gives source features the target's mean and covariance."""

from typing import NamedTuple

import torch
from torch import Tensor

from segda.batch import Domain
from segda.networks.networks import Networks
from segda.networks.two_scales import Corners


class FeatureStatistics(NamedTuple):
    """Mean `[C]` and covariance `[C, C]` of a domain's z, float64."""

    mean: Tensor
    covariance: Tensor


class CoralTransform(NamedTuple):
    """`(z - mean) @ matrix + shift` for every position of z; float32 `[C]`, `[C, C]`, `[C]`."""

    mean: Tensor
    matrix: Tensor
    shift: Tensor

    def __call__(self, z: Tensor) -> Tensor:
        """Transform z, `[B, C, h, w]`."""
        last = z.movedim(1, -1)
        return ((last - self.mean) @ self.matrix + self.shift).movedim(-1, 1).to(z.dtype)


class CoralNetworks(Networks):
    """The same networks, with z of source images transformed."""

    def __init__(self, networks: Networks, recolouring: CoralTransform) -> None:
        super().__init__(networks.modules, networks.tied)
        self.frozen = networks.frozen
        self.recolouring = recolouring

    def encode(self, image: Tensor, domain: Domain, corners: Corners | None = None) -> list[Tensor]:
        """As `Networks.encode`; z of the source is transformed."""
        features = super().encode(image, domain, corners)
        return [*features[:-1], self.recolouring(features[-1])] if domain == "source" else features


def coral_transform(source: FeatureStatistics, target: FeatureStatistics, *, regularisation: float) -> CoralTransform:
    """The transform from the source's statistics to the target's, float64.

    `A = (C_S + r I)^(-1/2) (C_T + r I)^(1/2)`, so that `A' (C_S + r I) A = C_T + r I`.

    Source: Sun, Feng and Saenko, AAAI 2016, algorithm 1; means are moved along, where the paper standardises before.
    """
    added = regularisation * torch.eye(len(source.mean), dtype=torch.float64)
    whitening = matrix_power(source.covariance + added, -0.5)
    return CoralTransform(source.mean, whitening @ matrix_power(target.covariance + added, 0.5), target.mean)


def matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric, positive definite `[C, C]`: of its eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values**exponent) @ vectors.T
