"""How far exported images lie from the target's in a network's features: Fréchet and kernel distance.

With Inception's features these are FID and KID. Here they are taken in the features of a network of one's own, without
a download, so they compare exports that were measured with the same network, and nothing else.
"""

import numpy as np

from segda.errors import DataError


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The squared Fréchet distance of two Gaussians with the means and covariances of `[N, C]` and `[M, C]` vectors.

    `|m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2))`. With centred vectors A and B, the last trace is the sum of
    the singular values of `A B^T`, up to the divisors of the covariances, so no matrix root is taken.

    Raises:
        DataError: fewer than two vectors, or another number of features.

    Source: Heusel et al. 2017 (FID), equation 6.
    """
    one, two = _checked(first, second)
    means = one.mean(axis=0), two.mean(axis=0)
    centred = [(part - mean) / np.sqrt(len(part) - 1) for part, mean in zip((one, two), means, strict=True)]
    # Triangular factors have the singular values of the products, and at most C rows each.
    roots = [np.asarray(np.linalg.qr(part, mode="r")) for part in centred]
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    spread = sum(float(np.square(part).sum()) for part in centred)
    return float(np.square(means[0] - means[1]).sum() + spread - 2 * shared)


def kernel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased squared maximum mean discrepancy of `[N, C]` and `[M, C]` vectors; chance may put it below 0.

    The kernel is `(x . y / C + 1)^3`.

    Raises:
        DataError: fewer than two vectors, or another number of features.

    Source: Bińkowski et al. 2018 (KID), section 4; Gretton et al. 2012, equation 3.
    """
    one, two = _checked(first, second)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        grown: np.ndarray = (x @ y.T / x.shape[1] + 1) ** 3
        return grown

    def within(x: np.ndarray) -> float:
        values = kernel(x, x)
        return float((values.sum() - np.trace(values)) / (len(x) * (len(x) - 1)))

    return within(one) + within(two) - 2 * float(kernel(one, two).mean())


def _checked(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if min(len(first), len(second)) < 2 or first.shape[1] != second.shape[1]:
        raise DataError(
            f"distance of {first.shape[0]}x{first.shape[1]} and {second.shape[0]}x{second.shape[1]} vectors; "
            "expected at least two of each, with as many features"
        )
    return first.astype(np.float64), second.astype(np.float64)
