"""Scenes: every class in plausible shares, and the same scene from the same random state."""

from random import Random

import numpy as np
import pytest

from segda.demo.streets import camera, ids, rendered
from segda.demo.streets.layout import Layout, poisson
from segda.demo.streets.raster import rasterize
from segda.demo.streets.road import Road
from segda.demo.streets.scene import make
from segda.label_spaces import cityscapes

SIZE = (64, 128)


@pytest.mark.parametrize("layout", [rendered.LAYOUT, camera.LAYOUT], ids=["rendered", "camera"])
def test_every_scored_class_occurs_and_the_common_ones_are_common(layout: Layout) -> None:
    counts = np.zeros(256, dtype=np.int64)
    for index in range(60):
        label = rasterize(make(layout, Random(f"scene/{index}")), SIZE).label
        counts += np.bincount(label.ravel(), minlength=256)
    shares = counts / counts.sum()
    assert [name for name in cityscapes.EVALUATED if counts[name] == 0] == []
    assert {name for name in range(256) if counts[name]} <= set(range(35))
    for label, least in ((ids.ROAD, 0.15), (ids.SIDEWALK, 0.03), (ids.BUILDING, 0.08), (ids.VEGETATION, 0.06)):
        assert shares[label] > least, label
    for label, least in ((ids.SKY, 0.03), (ids.CAR, 0.04), (ids.PERSON, 0.005), (ids.POLE, 0.01)):
        assert shares[label] > least, label
    assert shares[list(cityscapes.EVALUATED)].sum() > 0.9


def test_a_scene_is_a_function_of_its_random_state() -> None:
    first, again, other = (make(rendered.LAYOUT, Random(seed)) for seed in (5, 5, 6))
    assert first.viewpoint == again.viewpoint != other.viewpoint
    for one, two in zip(first.items, again.items, strict=True):
        np.testing.assert_array_equal(one.points, two.points)


def test_every_scene_ends() -> None:
    # Rounding at a side street must not cause an endless row of houses.
    assert all(len(make(camera.LAYOUT, Random(seed)).items) > 10 for seed in range(150))


def test_road_bends_with_the_square_of_the_distance() -> None:
    road = Road(left=-4.0, right=4.0, bend=0.001, lane=3.5, crossings=(30.0,))
    assert road.at(2.0, 0.0) == (2.0, 0.0)
    assert road.at(2.0, 50.0) == (4.5, 50.0)
    assert road.kerbs() == [(-2.0, 26.5), (33.5, 150.0)]
    assert road.free(20.0)
    assert not road.free(35.0)


def test_poisson_has_the_given_mean() -> None:
    random = Random(0)
    assert np.mean([poisson(random, 3.0) for _ in range(4000)]) == pytest.approx(3.0, abs=0.15)
