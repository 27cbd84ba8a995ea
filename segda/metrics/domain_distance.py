"""How far apart two domains lie in a feature space, and the bound on the target error that it enters."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segda.errors import DataError

COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""The grid that the weight of the linear SVM's errors is chosen from."""
_FEWEST = 8  # samples of each domain: two halves, the first of which is parted again


@dataclass(frozen=True)
class Divergence:
    """How well a linear classifier tells two domains apart.

    Attributes:
        error: its share of wrong answers on held-out samples; one half is guessing.
        cost: the weight of errors that was chosen for it.
        samples: how many samples of each domain were used.
    """

    error: float
    cost: float
    samples: int

    @property
    def distance(self) -> float:
        """The proxy A-distance `2 (1 - 2 error)`: 0 for domains that look alike, 2 for separable ones.

        Chance may put it a little below 0. Source: DANN (Ganin et al. 2016), section 3.1.
        """
        return 2 * (1 - 2 * self.error)


@dataclass(frozen=True)
class Bound:
    """The pieces of the bound on the target error: `target error <= source error + divergence / 2 + joint error`.

    The pieces are estimates, the divergence by a proxy for the theorem's, so the sum is a guide and proves nothing.
    Source: Ben-David et al. 2010, theorem 2.

    Attributes:
        source_error: share of wrong predictions on the source.
        divergence: between the domains, in `[0, 2]`; the proxy A-distance stands for it.
        joint_error: of the best single classifier for both domains, the sum of its two errors (lambda). It takes labels
            of the target, so only an oracle knows it: `None` where there are none.
    """

    source_error: float
    divergence: float
    joint_error: float | None = None

    @property
    def value(self) -> float | None:
        """The sum; `None` without the joint error."""
        return None if self.joint_error is None else self.source_error + self.divergence / 2 + self.joint_error


def divergence(source: np.ndarray, target: np.ndarray, *, seed: int = 0, costs: Sequence[float] = COSTS) -> Divergence:
    """Train a linear SVM to tell the domains apart, and see how often it errs on samples it was not trained on.

    Of both domains the same number of samples is drawn. One half trains; a third of that half chooses the cost, which
    the DANN authors chose on the very samples that they scored. Features are standardised by the training half.

    Args:
        source: features of the source, float `[N, C]`.
        target: features of the target, float `[M, C]`.
        seed: of the draw and the halves.
        costs: the grid of costs.

    Raises:
        DataError: fewer than 8 samples of a domain, features of different sizes, or a value that is not finite.
    """
    _check(source, target)
    count = min(len(source), len(target))
    generator = np.random.default_rng(seed)
    features = np.concatenate([chosen[generator.permutation(len(chosen))[:count]] for chosen in (source, target)])
    domain = np.repeat([0, 1], count)
    # Each domain is halved by itself, so that guessing is right half of the time.
    place = np.tile(np.arange(count), 2)
    training, held_out = place < count // 2, place >= count // 2
    fitting, choosing = place < count // 3, training & (place >= count // 3)
    cost = min(costs, key=lambda cost: _error(features, domain, fitting, choosing, cost, seed))
    return Divergence(_error(features, domain, training, held_out, cost, seed), cost, count)


def proxy_a_distance(source: np.ndarray, target: np.ndarray, *, seed: int = 0) -> float:
    """The proxy A-distance of two sets of features, `[N, C]` and `[M, C]`; see `divergence`."""
    return divergence(source, target, seed=seed).distance


def joint_error(
    source: np.ndarray,
    source_label: np.ndarray,
    target: np.ndarray,
    target_label: np.ndarray,
    *,
    seed: int = 0,
    costs: Sequence[float] = COSTS,
) -> float:
    """The error that one linear classifier of both domains' classes makes on the source, plus that on the target.

    An upper estimate of the bound's lambda, held out and chosen as in `divergence`. It sees labels of the target.

    Args:
        source: features of the source, float `[N, C]`.
        source_label: class indices `[N]`.
        target: features of the target, float `[M, C]`.
        target_label: class indices `[M]`.
        seed: of the draw and the halves.
        costs: the grid of costs.

    Raises:
        DataError: as in `divergence`, or all samples are of one class.
    """
    _check(source, target)
    count = min(len(source), len(target))
    generator = np.random.default_rng(seed)
    kept = [generator.permutation(len(chosen))[:count] for chosen in (source, target)]
    features = np.concatenate([source[kept[0]], target[kept[1]]])
    label = np.concatenate([source_label[kept[0]], target_label[kept[1]]])
    place = np.tile(np.arange(count), 2)
    training, fitting = place < count // 2, place < count // 3
    if len(np.unique(label[fitting])) < 2:
        raise DataError(f"joint error: all {2 * (count // 3)} samples are of class {label[0]}; use samples of several")
    cost = min(costs, key=lambda cost: _error(features, label, fitting, training & ~fitting, cost, seed))
    # Both domains hold the same number of samples, so the sum of their errors is twice the error on all.
    return 2 * _error(features, label, training, ~training, cost, seed)


def _error(
    features: np.ndarray, label: np.ndarray, training: np.ndarray, held_out: np.ndarray, cost: float, seed: int
) -> float:
    """Share of wrong answers on the held-out samples of a linear SVM fitted to the training ones."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    mean, deviation = features[training].mean(axis=0), features[training].std(axis=0)
    scaled = (features - mean) / np.where(deviation > 0, deviation, 1)
    classifier = LinearSVC(C=cost, dual="auto", random_state=seed)
    with warnings.catch_warnings():
        # Costs too high to converge are there to be compared, not to be good.
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(scaled[training], label[training])
    return float(np.mean(classifier.predict(scaled[held_out]) != label[held_out]))


def _check(source: np.ndarray, target: np.ndarray) -> None:
    for name, features in (("source", source), ("target", target)):
        if features.ndim != 2 or len(features) < _FEWEST:
            raise DataError(
                f"domain distance: {name} features are {list(features.shape)}; give [N, C] with at least {_FEWEST} "
                "samples"
            )
        if not np.isfinite(features).all():
            raise DataError(f"domain distance: {name} features are not all finite; the network has diverged")
    if source.shape[1] != target.shape[1]:
        raise DataError(
            f"domain distance: {source.shape[1]} features of the source but {target.shape[1]} of the target; "
            "encode both with one network"
        )
