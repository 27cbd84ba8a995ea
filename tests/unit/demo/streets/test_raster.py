"""Perspective, occlusion, clipping and shadows, against values computed by hand."""

import math

import numpy as np
import pytest

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item, Mesh, place, upright
from segda.demo.streets.raster import MAX_DEPTH, cast_shadows, rasterize
from segda.demo.streets.scene import Scene
from segda.demo.streets.viewpoint import NEAR, Viewpoint, clip_near

SIZE = (64, 64)
# With 90 degrees across 64 pixels the focal length is 32 pixels.
LEVEL = Viewpoint(height=2.0, pitch=0.0, yaw=0.0, roll=0.0, field_of_view=math.pi / 2)


def board(z: float, label: int, half: float = 1.0) -> Item:
    mesh = Mesh(solid=False)
    mesh.face(upright(-half, half, 2 - half, 2 + half), label, Material.METAL)
    return place(mesh, 0.0, z)


def plain() -> Item:
    mesh = Mesh(solid=False)
    mesh.face([(-90, 0, 90), (90, 0, 90), (90, 0, -2), (-90, 0, -2)], ids.ROAD, Material.ASPHALT)
    return Item(mesh, np.array(mesh.points, dtype=float), order=1e6)


def test_size_on_the_picture_falls_with_the_distance() -> None:
    for distance, pixels in ((4.0, 16), (8.0, 8)):
        label = rasterize(Scene(LEVEL, (board(distance, ids.CAR),), False), SIZE).label
        across = np.count_nonzero((label == ids.CAR).any(axis=0))
        # The outline itself is drawn too, adding up to a pixel.
        assert pixels <= across <= pixels + 1


def test_near_things_hide_far_ones_in_either_order_of_adding() -> None:
    near, far = board(4.0, ids.CAR), board(6.0, ids.BUS, half=2.0)
    for items in ((near, far), (far, near)):
        label = rasterize(Scene(LEVEL, items, False), SIZE).label
        assert label[32, 32] == ids.CAR
        assert label[32, 23] == ids.BUS


def test_depth_and_position_on_the_ground() -> None:
    buffers = rasterize(Scene(LEVEL, (plain(),), False), SIZE)
    # Row 47 lies 15.5 pixels below the horizon: depth = height * focal / 15.5.
    assert buffers.depth[47, 32] == pytest.approx(2 * 32 / 15.5, rel=1e-3)
    assert buffers.v[47, 32] == pytest.approx(2 * 32 / 15.5, rel=1e-3)
    assert buffers.u[47, 63] == pytest.approx(31.5 / 32 * 2 * 32 / 15.5, rel=1e-3)
    assert buffers.label[10, 10] == ids.SKY
    assert buffers.depth[10, 10] == pytest.approx(MAX_DEPTH)
    assert buffers.ground[buffers.face[47, 32]]


def test_height_on_an_upright_face_is_height_above_the_ground() -> None:
    buffers = rasterize(Scene(LEVEL, (board(4.0, ids.CAR),), False), SIZE)
    assert buffers.v[31, 32] == pytest.approx(2 + 0.5 / 32 * 4, rel=1e-3)
    assert buffers.upright[buffers.face[31, 32]]


def test_faces_seen_from_behind_are_left_out_of_solid_meshes() -> None:
    mesh = Mesh()
    mesh.box((-1, 1, -1), (1, 3, 1), ids.CAR, Material.CAR_PAINT)
    buffers = rasterize(Scene(LEVEL, (place(mesh, 0.0, 6.0),), False), SIZE)
    # The camera is at the height of the box's centre: it sees only the near face, 5 m away.
    assert set(np.unique(buffers.face)) == {0, 1}
    assert buffers.depth[32, 32] == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "row", "column"),
    [({"pitch": math.radians(10)}, -1, 0), ({"yaw": math.radians(10)}, 0, -1)],
)
def test_turning_the_camera_moves_the_picture_the_other_way(change: dict[str, float], row: int, column: int) -> None:
    turned = Viewpoint(**{"height": 2.0, "pitch": 0.0, "yaw": 0.0, "roll": 0.0, "field_of_view": math.pi / 2, **change})
    seen = np.argwhere(rasterize(Scene(turned, (board(8.0, ids.CAR),), False), SIZE).label == ids.CAR)
    middle = seen.mean(axis=0) - 31.5
    # 32 * tan(10 degrees) = 5.6 pixels.
    np.testing.assert_allclose(middle, [row * 5.6, column * 5.6], atol=0.8)


def test_rotation_keeps_lengths_and_angles_and_turns_y_over() -> None:
    turned = Viewpoint(height=2.0, pitch=0.2, yaw=-0.3, roll=0.1, field_of_view=1.0).rotation()
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(-1)


def test_clipping_cuts_at_the_near_plane() -> None:
    clipped = clip_near(np.array([[0.0, 0, -1], [0.0, 0, 3], [2.0, 0, 3], [2.0, 0, -1]]))
    assert len(clipped) == 4
    assert clipped[:, 2].min() == pytest.approx(NEAR)
    assert len(clip_near(np.array([[0.0, 0, -1], [1.0, 0, -2], [1.0, 1, -1]]))) == 0


def test_a_shadow_reaches_as_far_as_the_object_is_high() -> None:
    mesh = Mesh(solid=False)
    mesh.face(upright(-0.25, 0.25, 0.0, 2.0), ids.POLE, Material.METAL)
    post = place(mesh, 0.0, 8.0, shadow=(0.5, 0.5, 2.0))
    shadow = cast_shadows(Scene(LEVEL, (plain(), post), False), SIZE, (1.0, 0.0))
    # At 8 m, a row 8 pixels below the horizon; the shadow runs from the post 2 m, 8 pixels, to the right.
    assert shadow[40, 36] == 1
    assert shadow[40, 44] == 0
    assert shadow[40, 28] == 0
