"""The distance of two domains in a feature space, and the bound on the target error that it enters."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segda.errors import DataError

COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Grid of weights of the linear SVM's errors."""
FEWEST = 8  # samples of each domain: two halves, the first of which is split again


@dataclass(frozen=True)
class Divergence:
    """How well a linear classifier separates two domains.

    Attributes:
        error: its error rate on held-out samples; 1/2 by chance.
        cost: the chosen weight of errors.
        samples: number of samples of each domain.
    """

    error: float
    cost: float
    samples: int

    @property
    def distance(self) -> float:
        """The proxy A-distance `2 (1 - 2 error)`: 0 for domains of one distribution, 2 for separable ones.

        Chance may make it slightly negative. Source: DANN (Ganin et al. 2016), section 3.1.
        """
        return 2 * (1 - 2 * self.error)


@dataclass(frozen=True)
class Bound:
    """The parts of the bound on the target error: `target error <= source error + divergence / 2 + joint error`.

    The parts are estimates, the divergence by a proxy of the theorem's, so the sum is no proven bound.
    Source: Ben-David et al. 2010, theorem 2.

    Attributes:
        source_error: error rate on the source.
        divergence: between the domains, in `[0, 2]`, estimated by the proxy A-distance.
        joint_error: the sum of both errors of the best single classifier for both domains (lambda); `None` without
            labels of the target.
    """

    source_error: float
    divergence: float
    joint_error: float | None = None

    @property
    def value(self) -> float | None:
        """The sum; `None` without the joint error."""
        return None if self.joint_error is None else self.source_error + self.divergence / 2 + self.joint_error


def divergence(source: np.ndarray, target: np.ndarray, *, seed: int = 0, costs: Sequence[float] = COSTS) -> Divergence:
    """Train a linear SVM to separate the domains, and take its error on held-out samples.

    Both domains contribute the same number of samples. Half of them train; a third of that half chooses the cost, which
    the DANN authors chose on the samples that they scored. Features are standardised by the training half.

    Args:
        source: features of the source, float `[N, C]`.
        target: features of the target, float `[M, C]`.
        seed: of the draw and the halves.
        costs: the grid of costs.

    Raises:
        DataError: fewer than 8 samples of a domain, features of different sizes, or a value that is not finite.
    """
    check_features("domain distance", source=source, target=target)
    count = min(len(source), len(target))
    generator = np.random.default_rng(seed)
    features = np.concatenate([chosen[generator.permutation(len(chosen))[:count]] for chosen in (source, target)])
    domain = np.repeat([0, 1], count)
    # Each domain is split by itself, so that guessing is right half of the time.
    rank = np.tile(np.arange(count), 2)
    training, held_out = rank < count // 2, rank >= count // 2
    fitting, choosing = rank < count // 3, training & (rank >= count // 3)
    cost = min(costs, key=lambda cost: _error(features, domain, fitting, choosing, cost, seed))
    return Divergence(_error(features, domain, training, held_out, cost, seed), cost, count)


def joint_error(
    source: np.ndarray,
    source_label: np.ndarray,
    target: np.ndarray,
    target_label: np.ndarray,
    *,
    seed: int = 0,
    costs: Sequence[float] = COSTS,
) -> float:
    """The error of one linear classifier of both domains' classes on the source, plus that on the target.

    An upper estimate of the bound's lambda, with the features, split and costs of `divergence`. It uses labels of the
    target; labels are class indices `[N]` and `[M]`.

    Raises:
        DataError: as in `divergence`, or all samples are of one class.
    """
    check_features("domain distance", source=source, target=target)
    count = min(len(source), len(target))
    generator = np.random.default_rng(seed)
    of_source, of_target = (generator.permutation(len(features))[:count] for features in (source, target))
    features = np.concatenate([source[of_source], target[of_target]])
    label = np.concatenate([source_label[of_source], target_label[of_target]])
    rank = np.tile(np.arange(count), 2)
    training, fitting = rank < count // 2, rank < count // 3
    if len(np.unique(label[fitting])) < 2:
        raise DataError(f"joint error: all {2 * (count // 3)} samples are of class {label[0]}; use samples of several")
    cost = min(costs, key=lambda cost: _error(features, label, fitting, training & ~fitting, cost, seed))
    # Both domains have the same number of samples, so the sum of their errors is twice the error on all.
    return 2 * _error(features, label, training, ~training, cost, seed)


def _error(
    features: np.ndarray, label: np.ndarray, training: np.ndarray, held_out: np.ndarray, cost: float, seed: int
) -> float:
    """Error rate on the held-out samples of a linear SVM fitted to the training samples."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    mean, deviation = features[training].mean(axis=0), features[training].std(axis=0)
    scaled = (features - mean) / np.where(deviation > 0, deviation, 1)
    classifier = LinearSVC(C=cost, dual="auto", random_state=seed)
    with warnings.catch_warnings():
        # Costs too high to converge are only compared with others.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(scaled[training], label[training])
    return float(np.mean(classifier.predict(scaled[held_out]) != label[held_out]))


def check_features(context: str, fewest: int = FEWEST, **domains: np.ndarray) -> None:
    """Check features `[N, C]` of one network, by the name of their domain.

    Raises:
        DataError: fewer than `fewest` samples of a domain, features of different sizes, or a value that is not finite.
    """
    sizes = {features.shape[1] for features in domains.values() if features.ndim == 2}
    for name, features in domains.items():
        name = name.replace("_", " ")
        if features.ndim != 2 or len(features) < fewest:
            raise DataError(
                f"{context}: {name} features are {list(features.shape)}; give [N, C] with at least {fewest} samples"
            )
        if not np.isfinite(features).all():
            raise DataError(f"{context}: {name} features are not all finite; the network has diverged")
    if len(sizes) > 1:
        raise DataError(f"{context}: features have sizes {sorted(sizes)}, expected one; encode both with one network")
