"""Criteria that select among finished networks without labels of the target.

Each is an estimate and fails in its own way. Entropy rewards a network that is certain and wrong, also one that
predicts a single class everywhere; so does soft neighbourhood density, though it does not reward certainty as such;
mutual information rewards balanced classes, which a target may not have. A weighted source risk assumes that source and
target overlap.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from segda.errors import DataError
from segda.metrics.domain_distance import check_features

COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Grid of weights of the domain classifier's errors."""


class Criterion(NamedTuple):
    """Direction and publication of a criterion.

    Attributes:
        larger: whether the largest value is best, else the smallest.
        source: the publication.
    """

    larger: bool
    source: str


CRITERIA = {
    "entropy": Criterion(False, "mean entropy of predictions; Morerio et al., ICLR 2018"),
    "neighbourhood density": Criterion(True, "soft neighbourhood density; Saito et al., ICCV 2021"),
    "mutual information": Criterion(True, "information maximisation; Shi and Sha, ICML 2012"),
    "weighted source risk": Criterion(False, "importance-weighted validation; Sugiyama et al., JMLR 2007"),
    "deep embedded validation": Criterion(False, "weighted risk with a control variate; You et al., ICML 2019"),
}
"""By name, in the order of tables. The last two need labelled images of the source."""


def entropy(probabilities: np.ndarray) -> float:
    """The mean entropy of predictions, in nats: 0 where all are certain, `log K` where all are uniform.

    Source: Morerio et al., ICLR 2018, who choose hyperparameters by it.

    Args:
        probabilities: float `[N, K]`, each row sums to one.

    Raises:
        DataError: there is no row, or a row is no distribution.
    """
    _check(probabilities)
    return float(_entropies(probabilities).mean())


def mutual_information(probabilities: np.ndarray) -> float:
    """Mutual information of prediction and sample, in nats: entropy of the mean prediction minus the mean entropy.

    0 where all predictions are equal, `log K` where they are certain and all classes equally frequent.
    Source: Bridle et al., NeurIPS 1991; for domain adaptation Shi and Sha, ICML 2012.

    Args:
        probabilities: float `[N, K]`, as in `entropy`.
    """
    _check(probabilities)
    return float(_entropies(probabilities.mean(axis=0, keepdims=True))[0] - _entropies(probabilities).mean())


def neighbourhood_density(probabilities: np.ndarray, temperature: float = 0.05) -> float:
    """The soft neighbourhood density, in nats: large where each prediction has many others nearby.

    With `f` the predictions at unit length, the neighbours of `i` are weighted by the softmax over `j != i` of
    `f_i . f_j / temperature`; the density is the mean entropy of these weights, at most `log(N - 1)`. It depends on N,
    so only values over equally many samples compare. A collapse to one class reaches this maximum.
    Source: Saito et al., ICCV 2021, on softmax outputs, with their temperature.

    Args:
        probabilities: float `[N, K]`, as in `entropy`; at least three rows.
        temperature: above 0.
    """
    _check(probabilities, fewest=3)
    direction = probabilities / np.linalg.norm(probabilities, axis=1, keepdims=True)
    entropies = []
    for start in range(0, len(direction), 1024):  # in blocks, to save memory
        similarity = direction[start : start + 1024] @ direction.T / temperature
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        weights = np.exp(similarity - similarity.max(axis=1, keepdims=True))
        entropies.append(_entropies(weights / weights.sum(axis=1, keepdims=True)))
    return float(np.concatenate(entropies).mean())


def weighted_risk(losses: np.ndarray, weights: np.ndarray) -> float:
    """The risk on the target, estimated on held-out samples of the source: the mean of `weight * loss`.

    Source: Sugiyama, Krauledat and Müller, JMLR 2007.

    Args:
        losses: of held-out source samples, float `[N]`, such as the share of wrong pixels of each.
        weights: density ratio of target to source at each sample, float `[N]`; see `importance_weights`.

    Raises:
        DataError: no sample, or the two differ in length or are not finite.
    """
    _check_pairs(losses, weights)
    return float(np.mean(weights * losses))


def deep_embedded_validation(losses: np.ndarray, weights: np.ndarray) -> float:
    """`weighted_risk` with less variance: the weights, whose mean should be one, are the control variate.

    `mean(wl) + eta mean(w) - eta` with `eta = -Cov(wl, w) / Var(w)`. It may be negative.
    Source: You et al., ICML 2019.

    Args:
        losses: as in `weighted_risk`.
        weights: as in `weighted_risk`.
    """
    _check_pairs(losses, weights)
    weighted = weights * losses
    if len(weights) < 2 or np.ptp(weights) == 0:  # no variance to reduce
        return float(np.mean(weighted))
    covariance = np.cov(weighted, weights, ddof=1)
    eta = -covariance[0, 1] / covariance[1, 1]
    return float(weighted.mean() + eta * weights.mean() - eta)


def importance_weights(
    source: np.ndarray, target: np.ndarray, held_out: np.ndarray, *, seed: int = 0, costs: Sequence[float] = COSTS
) -> np.ndarray:
    """The density ratio of target to source at samples: `N_source / N_target * p(target) / p(source)`.

    The probabilities are those of a logistic regression of the domain; its cost has the smallest log loss on a third of
    the samples, and features are standardised by those it is fitted to.
    Source: You et al., ICML 2019, whose domain classifier is a small network.

    Args:
        source: features of the source for the fit, float `[N, C]`.
        target: features of the target, float `[M, C]`.
        held_out: features of the source to weight, float `[L, C]`.
        seed: of the draw of that third.
        costs: the grid of costs.

    Returns:
        Float64 `[L]`, above 0.

    Raises:
        DataError: fewer than 8 samples of a domain, features of different sizes, or a value that is not finite.
    """
    check_features("selection", source=source, target=target)
    check_features("selection", 1, source=source, held_out_source=held_out)
    features = np.concatenate([source, target]).astype(np.float64)
    domain = np.repeat([0, 1], [len(source), len(target)])
    generator = np.random.default_rng(seed)
    rank = np.concatenate([generator.permutation(len(part)) / len(part) for part in (source, target)])
    fitting = rank < 2 / 3
    cost = min(costs, key=lambda cost: _log_loss(features, domain, fitting, cost))
    classifier, mean, deviation = _fitted(features, domain, cost)
    scores = classifier.decision_function((held_out - mean) / deviation)
    # The odds of a logistic regression are the exponential of its score, bounded here to stay finite.
    return np.asarray(len(source) / len(target) * np.exp(np.clip(scores, -30, 30)), dtype=np.float64)


def best(values: dict[str, float], larger: bool) -> str:
    """The candidate with the best value, the first of equal ones.

    Raises:
        DataError: no candidate.
    """
    if not values:
        raise DataError("selection: no candidate to select from; name finished stages")
    return (max if larger else min)(values, key=lambda name: values[name])


def _fitted(features: np.ndarray, domain: np.ndarray, cost: float) -> tuple[Any, np.ndarray, np.ndarray]:
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return LogisticRegression(C=cost, max_iter=1000).fit((features - mean) / deviation, domain), mean, deviation


def _log_loss(features: np.ndarray, domain: np.ndarray, fitting: np.ndarray, cost: float) -> float:
    """Mean log loss on the samples that are not fitted to."""
    classifier, mean, deviation = _fitted(features[fitting], domain[fitting], cost)
    scores = classifier.decision_function((features[~fitting] - mean) / deviation)
    return float(np.logaddexp(0, np.where(domain[~fitting] == 1, -scores, scores)).mean())


def _entropies(rows: np.ndarray) -> np.ndarray:
    """The entropy of each row `[N, K]`, with `0 log 0 = 0`."""
    entropies: np.ndarray = -(rows * np.log(np.where(rows > 0, rows, 1))).sum(axis=1)
    return entropies


def _check(probabilities: np.ndarray, fewest: int = 1) -> None:
    if probabilities.ndim != 2 or len(probabilities) < fewest:
        raise DataError(f"selection: predictions are {list(probabilities.shape)}; give [N, K] with N at least {fewest}")
    if not np.isfinite(probabilities).all() or abs(probabilities.sum(axis=1) - 1).max() > 1e-3:
        raise DataError("selection: predictions are no probabilities; the network has diverged, or they are logits")


def _check_pairs(losses: np.ndarray, weights: np.ndarray) -> None:
    if losses.ndim != 1 or losses.shape != weights.shape or not len(losses):
        raise DataError(f"selection: losses {list(losses.shape)}, weights {list(weights.shape)}; give one of each [N]")
    if not np.isfinite(losses).all() or not np.isfinite(weights).all():
        raise DataError("selection: losses or weights are not all finite; the network has diverged")
