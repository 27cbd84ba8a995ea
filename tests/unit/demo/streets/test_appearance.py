"""The two appearances: they differ as photographs differ from renderings; labels differ only in the ego vehicle."""

from random import Random

import cv2
import numpy as np
import pytest

from segda.demo.streets import camera, camera_surfaces, ids, lens, rendered, rendered_surfaces
from segda.demo.streets.material import Material
from segda.demo.streets.raster import rasterize
from segda.demo.streets.scene import make
from segda.demo.streets.texture import SIDE, bricks, foliage, noise, pickets, plain, windows
from segda.demo.streets.write import draw

SIZE = (64, 128)
SHOT = {
    "exposure": 1.0, "balance": (1.0, 1.0, 1.0), "saturation": 1.0, "vignette": 0.0, "blur": 0.1,
    "motion": 0.0, "bloom": 0.0, "noise": 0.0, "quality": 95,
}  # fmt: skip


def pictures(domain: str) -> np.ndarray:
    return np.stack([draw(domain, "train", index, SIZE, 3)[0] for index in range(12)])


def test_rendered_is_more_colourful_and_camera_is_noisier() -> None:
    clean, photographed = pictures("rendered"), pictures("camera")
    spread = [np.ptp(images.astype(int), axis=3).mean() for images in (clean, photographed)]
    assert spread[0] > 2 * spread[1]
    # Noise is what a median filter removes in flat areas; its median over all pixels is compared.
    grain = [
        np.median([np.abs(i.astype(int) - cv2.medianBlur(i, 3)) for i in images]) for images in (clean, photographed)
    ]
    assert grain[1] > grain[0]


def test_appearance_changes_pictures_but_not_labels() -> None:
    scene = make(rendered.LAYOUT, Random(4))
    images, labels = zip(*(module.draw(scene, SIZE, Random(1)) for module in (rendered, camera)), strict=True)
    np.testing.assert_array_equal(*labels)
    assert np.abs(images[0].astype(int) - images[1]).mean() > 20


def test_only_the_camera_sees_its_own_bonnet() -> None:
    labels = {domain: draw(domain, "train", 0, SIZE, 3)[1] for domain in ("rendered", "camera")}
    assert ids.EGO_VEHICLE not in labels["rendered"]
    assert (labels["camera"][-1] == ids.EGO_VEHICLE).all()
    assert ids.EGO_VEHICLE not in labels["camera"][: SIZE[0] * 3 // 4]


def test_strengths_change_the_camera() -> None:
    scene = make(camera.LAYOUT, Random(4))
    buffers = rasterize(scene, SIZE)
    far = (buffers.depth > 20) & (buffers.face > 0)
    # The same weather, light and lens; only the fog density differs, which reduces contrast at a distance.
    looks = [camera.Look(weather=(0, 0, 0, 1, 0), fog=(share, share)) for share in (0.0, 0.02, 0.08)]
    spreads = [camera.draw(scene, SIZE, Random(1), look)[0][far].std() for look in looks]
    assert spreads[0] > 1.1 * spreads[1]
    assert spreads[1] > 1.1 * spreads[2]


def test_photograph_darkens_corners_and_blurs_edges() -> None:
    grey = np.full((64, 64, 3), 0.4, dtype=np.float32)
    rng = np.random.default_rng(0)
    even = lens.photograph(grey, rng, **SHOT).astype(int)
    assert np.ptp(even) <= 1
    dark = lens.photograph(grey, rng, **{**SHOT, "vignette": 0.4}).astype(int)
    assert dark[0, 0, 0] < dark[32, 32, 0] - 10
    edge = grey.copy()
    edge[:, 32:] = 0.8
    steps = [
        np.abs(np.diff(lens.photograph(edge, rng, **{**SHOT, **change})[32, :, 1].astype(int))).max()
        for change in ({}, {"blur": 1.5}, {"motion": 3.0})
    ]
    assert steps[1] < 0.6 * steps[0]
    assert steps[2] < 0.6 * steps[0]
    warm = lens.photograph(grey, rng, **{**SHOT, "balance": (1.1, 1.0, 0.9)}).mean(axis=(0, 1))
    assert warm[0] > warm[1] > warm[2]


def test_noise_is_tileable_and_normalised() -> None:
    field = noise(np.random.default_rng(0), 4, 3)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    inner = np.abs(np.diff(field, axis=1)).max()
    assert np.abs(field[:, 0] - field[:, -1]).max() <= 1.5 * inner


def test_textures_keep_the_mean_brightness_and_mark_their_second_colour() -> None:
    rng = np.random.default_rng(0)
    wall = bricks(rng, 0.1)
    for detail, second in (plain(rng, 0.1), wall, foliage(rng, 0.2, 0.6), pickets(rng, 0.1, 16, 0.5, True)):
        assert detail.shape == second.shape == (SIDE, SIDE)
        assert detail.mean() == pytest.approx(1, abs=0.1)
        assert second.min() >= 0
        assert second.max() <= 1
    _, glass = windows(rng, wall, 2, 2, (0.5, 0.5))
    assert 0.18 < glass.mean() < 0.25
    assert wall[1].max() == 0


@pytest.mark.parametrize("surfaces", [rendered_surfaces, camera_surfaces])
def test_every_material_has_a_surface(surfaces) -> None:
    assert len(surfaces.paint()._colours) == len(Material)
