"""The digits of Hershey's Roman simplex: strokes of a pen of any thickness.

Since release 5 OpenCV draws other fonts under Hershey's names, so the strokes are listed here.

Source: A. V. Hershey, Calligraphy for Computers, U.S. Naval Weapons Laboratory, 1967; the data are in the
public domain.
"""

import cv2
import numpy as np

#: Height of the digits in their own units; the base line is at 0 and y points up.
HEIGHT = 21

#: Strokes of each digit, points (x, y).
STROKES: tuple[tuple[tuple[tuple[int, int], ...], ...], ...] = (
    (
        (
            (9, 21), (6, 20), (4, 17), (3, 12), (3, 9), (4, 4), (6, 1), (9, 0), (11, 0), (14, 1), (16, 4), (17, 9),
            (17, 12), (16, 17), (14, 20), (11, 21), (9, 21),
        ),
    ),
    (((6, 17), (8, 18), (11, 21), (11, 0)),),
    (
        (
            (4, 16), (4, 17), (5, 19), (6, 20), (8, 21), (12, 21), (14, 20), (15, 19), (16, 17), (16, 15), (15, 13),
            (13, 10), (3, 0), (17, 0),
        ),
    ),
    (
        (
            (5, 21), (16, 21), (10, 13), (13, 13), (15, 12), (16, 11), (17, 8), (17, 6), (16, 3), (14, 1), (11, 0),
            (8, 0), (5, 1), (4, 2), (3, 4),
        ),
    ),
    (((13, 21), (3, 7), (18, 7)), ((13, 21), (13, 0))),
    (
        (
            (15, 21), (5, 21), (4, 12), (5, 13), (8, 14), (11, 14), (14, 13), (16, 11), (17, 8), (17, 6), (16, 3),
            (14, 1), (11, 0), (8, 0), (5, 1), (4, 2), (3, 4),
        ),
    ),
    (
        (
            (16, 18), (15, 20), (12, 21), (10, 21), (7, 20), (5, 17), (4, 12), (4, 7), (5, 3), (7, 1), (10, 0), (11, 0),
            (14, 1), (16, 3), (17, 6), (17, 7), (16, 10), (14, 12), (11, 13), (10, 13), (7, 12), (5, 10), (4, 7),
        ),
    ),
    (((17, 21), (7, 0)), ((3, 21), (17, 21))),
    (
        (
            (8, 21), (5, 20), (4, 18), (4, 16), (5, 14), (7, 13), (11, 12), (14, 11), (16, 9), (17, 7), (17, 4),
            (16, 2), (15, 1), (12, 0), (8, 0), (5, 1), (4, 2), (3, 4), (3, 7), (4, 9), (6, 11), (9, 12), (13, 13),
            (15, 14), (16, 16), (16, 18), (15, 20), (12, 21), (8, 21),
        ),
    ),
    (
        (
            (16, 14), (15, 11), (13, 9), (10, 8), (9, 8), (6, 9), (4, 11), (3, 14), (3, 15), (4, 18), (6, 20), (9, 21),
            (10, 21), (13, 20), (15, 18), (16, 14), (16, 9), (15, 4), (13, 1), (10, 0), (8, 0), (5, 1), (4, 3),
        ),
    ),
)  # fmt: skip


def draw(digit: int, size: int, height: int, thickness: int) -> np.ndarray:
    """A digit in the middle of a picture, uint8 `[size, size]`, white on black with smooth edges.

    `height` of the digit and `thickness` of the pen are in pixels.
    """
    outline = np.concatenate([np.array(stroke) for stroke in STROKES[digit]])
    middle = (outline.max(0) + outline.min(0)) / 2
    picture = np.zeros((size, size), dtype=np.uint8)
    for stroke in STROKES[digit]:
        points = (np.array(stroke) - middle) * (height / HEIGHT) * (1, -1) + size / 2
        # Coordinates in 16ths of a pixel.
        cv2.polylines(picture, [(points * 16).round().astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
    return picture
