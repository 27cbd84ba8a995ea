"""Features in a plane: the principal components by hand, and what the figure draws."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection

from segda.errors import DataError
from segda.label_space import LabelSpace
from segda.report.embedding import Panel, figure, neighbours, principal_components


def test_the_first_component_lies_along_the_largest_variance() -> None:
    along = np.array([3.0, 4.0]) / 5
    vectors = np.outer([-2.0, -1.0, 0.0, 3.0], along) + np.outer([0.1, -0.1, 0.1, -0.1], [-0.8, 0.6]) + 7
    projected, shares = principal_components(vectors)
    np.testing.assert_allclose(projected[:, 0], [-2, -1, 0, 3], atol=0.02)
    assert shares[0] > 0.99
    assert shares.sum() == pytest.approx(1)


def test_the_sign_is_the_same_for_mirrored_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(20, 4))
    np.testing.assert_allclose(np.abs(principal_components(vectors)[0]), np.abs(principal_components(-vectors)[0]))
    projected, _ = principal_components(vectors)
    assert (projected[np.abs(projected).argmax(axis=0), [0, 1]] > 0).all()


def test_a_single_feature_fills_one_direction() -> None:
    projected, shares = principal_components(np.array([[0.0], [1.0], [5.0]]))
    assert (projected[:, 1] == 0).all()
    assert shares.tolist() == [1, 0]


def test_vectors_that_are_all_alike_are_one_point() -> None:
    projected, shares = principal_components(np.ones((5, 3)))
    assert not projected.any()
    assert not np.isnan(shares).any()


def test_neighbours_stay_together_and_the_seed_decides() -> None:
    generator = np.random.default_rng(0)
    vectors = np.concatenate([generator.normal(0, 1, (30, 8)), generator.normal(30, 1, (30, 8))])
    plane = neighbours(vectors, seed=1)
    centres = plane[:30].mean(axis=0), plane[30:].mean(axis=0)
    assert np.linalg.norm(plane[:30] - centres[0], axis=1).max() < np.linalg.norm(centres[0] - centres[1])
    np.testing.assert_array_equal(plane, neighbours(vectors, seed=1))


def panel(space: LabelSpace) -> Panel:
    generator = np.random.default_rng(0)
    return Panel("before", generator.normal(size=(9, 3)), np.arange(9) % 3, generator.normal(size=(6, 3)),
                 np.array([0, 1, 2, 255, 255, 0]))  # fmt: skip


def test_both_domains_are_drawn_in_the_classes_colours(space: LabelSpace) -> None:
    drawn = figure([panel(space), panel(space)._replace(title="after")], space)
    assert [axes.get_title().split(",")[0] for axes in drawn.axes] == [
        "before: PCA", "after: PCA", "before: t-SNE", "after: t-SNE",
    ]  # fmt: skip
    for axes in drawn.axes:
        source, target = (each for each in axes.collections if isinstance(each, PathCollection))
        assert (len(source.get_offsets()), len(target.get_offsets())) == (9, 6)
        np.testing.assert_allclose(source.get_facecolors()[1, :3], np.array(space.palette[1]) / 255)
        colours = target.get_facecolors()[:, :3]
        assert (colours[3] == colours[4]).all(), "unlabelled"
        assert (colours[3] != colours[0]).any()
    named = [[text.get_text() for text in legend.get_texts()] for legend in drawn.legends]
    assert named == [["source", "target"], list(space.classes)]


def test_a_crowd_of_classes_is_not_named() -> None:
    names = tuple(str(number) for number in range(31))
    space = LabelSpace("many", names, tuple((number, number, number) for number in range(31)))
    vectors = np.random.default_rng(0).normal(size=(31, 3))
    drawn = figure([Panel("before", vectors, np.arange(31), vectors, np.arange(31))], space)
    assert [len(legend.get_texts()) for legend in drawn.legends] == [2]


def test_what_cannot_be_drawn_is_refused(space: LabelSpace) -> None:
    with pytest.raises(DataError, match="no features"):
        figure([], space)
    few = panel(space)._replace(source=np.ones((1, 3)), source_label=np.zeros(1, int))
    with pytest.raises(DataError, match="only 2 vectors"):
        figure([few._replace(target=np.ones((1, 3)), target_label=np.zeros(1, int))], space)
    with pytest.raises(DataError, match="'before': vectors that are not finite"):
        figure([panel(space)._replace(target=np.full((6, 3), np.nan))], space)
