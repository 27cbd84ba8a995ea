"""Two intertwining half moons, and the same turned about their middle: the toy problem of domain-adversarial training.

Source: Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016, section 5.1.1 (300 points, the target
turned by 35 degrees); the shape is that of `sklearn.datasets.make_moons`.
"""

from pathlib import Path

import numpy as np

from segda.data.npz import npz
from segda.errors import DataError
from segda.files import write_whole
from segda.seeds import derive_seed

# Half the distance between the corners of what `make_moons` draws, rounded up: turned by any angle it stays inside.
_REACH = 2.0
_MIDDLE = np.array([0.5, 0.25])


def write(folder: Path, *, train: int, test: int, noise: float, angle: float, seed: int) -> None:
    """Write `source/train.npz`, `target/train.npz` and `target/test.npz`, each with `points` and `labels`.

    Args:
        folder: made when it is missing; existing files stay as they are.
        train: points of each domain to train on.
        test: points of the target to score on.
        noise: standard deviation of the points about their moon, whose radius is 1.
        angle: by how many degrees the target is turned, counter-clockwise.
        seed: of all draws.

    Raises:
        DataError: fewer than two points.
        ArtefactError: a file cannot be written.
    """
    if min(train, test) < 2 or not 0 <= noise <= 0.2:
        raise DataError(
            f"moons: {train} and {test} points with noise {noise}; give at least 2 points and noise from 0 to 0.2"
        )
    sets = {"source/train": (train, 0.0), "target/train": (train, angle), "target/test": (test, angle)}
    for name, (count, turned) in sets.items():
        path = folder / f"{name}.npz"
        if not path.is_file():
            points, labels = draw(count, noise, turned, derive_seed(seed, "moons", name))
            write_whole(path, npz({"points": points, "labels": labels}))


def draw(count: int, noise: float, angle: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on both moons, as many on each; `noise` and `angle` as in `write`.

    Returns:
        float32 `[N, 2]` in `[-1, 1]` (a moon's radius is 0.5 there), and int64 `[N]`: 0 on the upper moon before the
        turn, 1 on the lower one.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    along = random.uniform(0, np.pi, count)
    upper = np.column_stack([np.cos(along), np.sin(along)])
    lower = np.column_stack([1 - np.cos(along), 0.5 - np.sin(along)])
    points = np.where(labels[:, None] == 0, upper, lower) + random.normal(0, noise, (count, 2)) - _MIDDLE
    turn = np.deg2rad(angle)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return (points @ rotation.T / _REACH).clip(-1, 1).astype(np.float32), labels
