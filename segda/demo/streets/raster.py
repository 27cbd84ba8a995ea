"""From a scene to per-pixel buffers: which face, how far away, and where on the face."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from segda.demo.streets import ids
from segda.demo.streets.material import Material
from segda.demo.streets.mesh import Item
from segda.demo.streets.scene import Scene
from segda.demo.streets.viewpoint import NEAR, clip_near

MAX_DEPTH = 400.0
_SHIFT = 4


@dataclass(frozen=True)
class Buffers:
    """What is seen at each pixel of `[H, W]`."""

    face: np.ndarray  # int32, index into the tables; 0 is the sky
    label: np.ndarray  # uint8, raw Cityscapes id
    depth: np.ndarray  # float32, metres along the view axis
    u: np.ndarray  # float32, metres along the face: across for upright faces, x for the ground
    v: np.ndarray  # float32, metres up the face: height above the ground, or z for the ground
    materials: np.ndarray  # int32 `[F]`, material of every face
    tones: np.ndarray  # float32 `[F]`, colour choice of every face in [0, 1)
    gains: np.ndarray  # float32 `[F]`, brightness of every face
    normals: np.ndarray  # float32 `[F, 3]`, world normals turned towards the camera
    upright: np.ndarray  # bool `[F]`, whether the face stands on the ground, so that `v` is its height above it
    ground: np.ndarray  # bool `[F]`, whether the face lies on the ground and takes cast shadows
    flat: np.ndarray  # bool `[F]`, whether the face is part of a flat figure, whose normal says nothing about its light
    focal: float  # focal length in pixels
    horizon: float  # row of the horizon in the middle column, in pixels


def rasterize(scene: Scene, size: tuple[int, int]) -> Buffers:
    """Draw a scene back to front into buffers of `size` (height, width)."""
    items = scene.items
    points = np.concatenate([item.points for item in items])
    sizes = np.concatenate([item.mesh.sizes for item in items])
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    view = scene.viewpoint
    turned = view.rotation()
    seen = (points - view.position) @ turned.T
    first = points[starts]
    outward = np.cross(points[starts + 2] - points[starts + 1], points[starts + 1] - first)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    facing = np.einsum("ij,ij->i", outward, view.position - first) > 0
    count = len(sizes)

    def table(attribute: str) -> np.ndarray:
        return np.concatenate([getattr(item.mesh, attribute) for item in items])

    faces_of = [len(item.mesh.sizes) for item in items]
    solid = np.repeat([item.mesh.solid for item in items], faces_of)
    order = _drawing_order(items, faces_of, seen, starts, table)
    nearest = np.minimum.reduceat(seen[:, 2], starts)
    farthest = np.maximum.reduceat(seen[:, 2], starts)
    visible = (facing | ~solid) & (farthest > NEAR)

    pixels = np.empty((len(points), 2))
    ahead = seen[:, 2] >= NEAR
    pixels[ahead] = view.project(seen[ahead], size)
    pixels[~ahead] = 0
    fixed = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
    whole = nearest >= NEAR
    # Faces entirely outside the picture are skipped before the slow loop.
    low, high = np.minimum.reduceat(pixels, starts), np.maximum.reduceat(pixels, starts)
    inside = (high[:, 0] >= 0) & (low[:, 0] <= size[1]) & (high[:, 1] >= 0) & (low[:, 1] <= size[0])
    visible &= inside | ~whole
    face = np.zeros(size, dtype=np.int32)
    ends = starts + sizes
    for i in order[visible[order]]:
        if whole[i]:
            outline = fixed[starts[i] : ends[i]]
        else:
            clipped = clip_near(seen[starts[i] : ends[i]])
            if len(clipped) < 3:
                continue
            outline = np.round(view.project(clipped, size) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(face, [outline], int(i) + 1, cv2.LINE_8, _SHIFT)
    normals = np.where(facing[:, None], outward, -outward)
    planes = _planes(points, seen, starts, normals, turned, view.position)
    depth, u, v = _locate(face, planes, view.rays(size))
    labels = np.concatenate(([ids.SKY], table("labels"))).astype(np.uint8)
    head = np.zeros(1)
    return Buffers(
        face=face,
        label=labels[face],
        depth=depth,
        u=u,
        v=v,
        materials=np.concatenate((np.full(1, Material.SKY), table("materials"))).astype(np.int32),
        tones=np.concatenate((head, table("tones"))).astype(np.float32),
        gains=np.concatenate((head + 1, table("gains"))).astype(np.float32),
        normals=np.concatenate((np.zeros((1, 3)), normals)).astype(np.float32).reshape(count + 1, 3),
        upright=np.concatenate(([False], np.abs(normals[:, 1]) < 0.9)),
        ground=np.concatenate(([False], (np.abs(normals[:, 1]) > 0.9) & (first[:, 1] == 0))),
        flat=np.concatenate(([True], ~solid)),
        focal=view.focal(size),
        horizon=size[0] / 2 - np.tan(view.pitch) * view.focal(size),
    )


def _drawing_order(
    items: tuple[Item, ...],
    faces_of: list[int],
    seen: np.ndarray,
    starts: np.ndarray,
    table: Callable[[str], np.ndarray],
) -> np.ndarray:
    """Indices of all faces, far to near: by item, then stage, then distance of the group's first face."""
    count = len(starts)
    item_order = np.repeat([item.order for item in items], faces_of)
    item_index = np.repeat(np.arange(len(items)), faces_of)
    groups = table("groups")
    fresh = np.ones(count, dtype=bool)
    fresh[1:] = (groups[1:] != groups[:-1]) | (item_index[1:] != item_index[:-1])
    # A flat figure's parts keep the order they were added in, as they all lie in one plane.
    solid = np.repeat([item.mesh.solid for item in items], faces_of)
    distance = np.add.reduceat(np.linalg.norm(seen, axis=1), starts) / np.diff(np.append(starts, len(seen)))
    group_number = np.cumsum(fresh) - 1
    group_distance = np.where(solid, distance[np.flatnonzero(fresh)][group_number], 0.0)
    return np.lexsort((np.arange(count), -group_distance, table("stages"), item_index, -item_order))


def cast_shadows(scene: Scene, size: tuple[int, int], direction: tuple[float, float]) -> np.ndarray:
    """float32 `[H, W]`, 1 where the ground is in shadow; `direction` is the shadow, (x, z), of something 1 m high."""
    view = scene.viewpoint
    turned = view.rotation()
    mask = np.zeros(size, dtype=np.uint8)
    for item in scene.items:
        if item.footprint is None:
            continue
        tip = item.footprint + np.array(direction) * item.height
        hull = cv2.convexHull(np.concatenate((item.footprint, tip)).astype(np.float32))[:, 0]
        corners = np.stack((hull[:, 0], np.zeros(len(hull)), hull[:, 1]), axis=1).astype(np.float64)
        clipped = clip_near((corners - view.position) @ turned.T)
        if len(clipped) >= 3:
            outline = np.round(view.project(clipped, size) * (1 << _SHIFT)).astype(np.int32)
            cv2.fillPoly(mask, [outline], 1, cv2.LINE_8, _SHIFT)
    return mask.astype(np.float32)


def _planes(
    points: np.ndarray,
    seen: np.ndarray,
    starts: np.ndarray,
    normals: np.ndarray,
    turned: np.ndarray,
    position: np.ndarray,
) -> np.ndarray:
    """float32 `[F + 1, 11]`: coefficients of 1/depth, u and v in camera space, with the sky first."""
    first = points[starts]
    in_view = normals @ turned.T
    offset = np.einsum("ij,ij->i", in_view, seen[starts])
    offset = np.where(np.abs(offset) < 1e-6, -1e-6, offset)
    flat = np.abs(normals[:, 1]) > 0.9
    along = np.stack((normals[:, 2], np.zeros(len(first)), -normals[:, 0]), axis=1)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    along = np.where(flat[:, None], [1.0, 0.0, 0.0], along)
    up = np.where(flat[:, None], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    u_offset = np.where(flat, position[0], np.einsum("ij,ij->i", along, position - first))
    v_offset = np.where(flat, position[2], position[1])
    planes = np.concatenate(
        (in_view / offset[:, None], along @ turned.T, up @ turned.T, u_offset[:, None], v_offset[:, None]), axis=1
    )
    sky = np.zeros((1, planes.shape[1]))
    sky[0, 2] = 1 / MAX_DEPTH
    return np.concatenate((sky, planes)).astype(np.float32)


def _locate(face: np.ndarray, planes: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth and position on the face of every pixel, where its ray meets the face's plane."""
    x, y = rays
    plane = [np.take(planes[:, i], face) for i in range(11)]
    inverse = plane[0] * x + plane[1] * y + plane[2]
    depth = 1 / np.clip(inverse, 1 / MAX_DEPTH, 1 / 0.2)
    u = (plane[3] * x + plane[4] * y + plane[5]) * depth + plane[9]
    v = (plane[6] * x + plane[7] * y + plane[8]) * depth + plane[10]
    return depth, u, v
