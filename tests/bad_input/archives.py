"""Binary data sets: IDX, LIBSVM text in bz2, HDF5, MATLAB, numpy."""

import bz2
import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

from tests.bad_input.case import RUN, Case, Spoil
from tools.fuzz_files import COLOUR, COUNT, GREY, LABELS, idx

AGAIN = "fetch the file again"
IMAGES, DIGITS = "set/train-images-idx3-ubyte.gz", "set/train-labels-idx1-ubyte"
USPS, HDF5, SVHN, ARRAYS = "set/usps.bz2", "set/usps.h5", "set/train_32x32.mat", "set/train.npz"


def holds(path: str, content: bytes) -> Spoil:
    return lambda folder: (folder / path).write_bytes(content)


def cut(path: str, share: float) -> Spoil:
    def spoil(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: int(len(content) * share)])

    return spoil


def missing(path: str) -> Spoil:
    return lambda folder: (folder / path).unlink()


def damaged(path: str, base: str) -> tuple[Case, ...]:
    """Damage that any archive can have."""
    name = Path(path).name
    return (
        Case(f"{name}: empty", holds(path, b""), name, AGAIN, RUN, base),
        Case(f"{name}: text", holds(path, b"not found"), name, AGAIN, RUN, base),
        Case(f"{name}: cut in the middle", cut(path, 0.5), name, AGAIN, RUN, base),
        Case(f"{name}: cut at its end", cut(path, 0.97), name, AGAIN, RUN, base),
        Case(f"{name}: missing", missing(path), name, "the layout needs it", RUN, base),
        Case(f"{name}: a folder", lambda folder: (missing(path)(folder), (folder / path).mkdir()), name,
             "the layout needs it", RUN, base),
        Case(f"{name}: a pipe", lambda folder: (missing(path)(folder), os.mkfifo(folder / path)), name,
             "the layout needs it", RUN, base),
    )  # fmt: skip


def head(*sizes: int, kind: int = 8, zeros: int = 0) -> bytes:
    return struct.pack(">HBB", zeros, kind, len(sizes)) + struct.pack(f">{len(sizes)}I", *sizes)


def idx_case(name: str, content: bytes, remedy: str = AGAIN) -> Case:
    return Case(f"IDX: {name}", holds(IMAGES, gzip.compress(content)), "train-images-idx3", remedy, RUN, "mnist")


def usps_case(name: str, text: bytes, remedy: str = AGAIN) -> Case:
    return Case(f"USPS: {name}", holds(USPS, bz2.compress(text)), "usps.bz2", remedy, RUN, "usps")


def hdf5(make: Callable[[h5py.File], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        with h5py.File(folder / HDF5, "w") as file:
            make(file)

    return spoil


def hdf5_of(data: Any, target: Any) -> Spoil:
    def make(file: h5py.File) -> None:
        file["train/data"], file["train/target"] = data, target

    return hdf5(make)


def declared(file: h5py.File, count: int = 2**40) -> None:
    """An array of petabytes that takes no space."""
    file.create_dataset("train/data", (count, 256), dtype="f8", chunks=(1, 256))
    file["train/target"] = LABELS


def elsewhere(file: h5py.File) -> None:
    """An array stored in another file."""
    file.create_dataset("train/data", (4, 256), dtype="u1", external=[("/etc/hostname", 0, 1024)])
    file["train/target"] = LABELS


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def npy_claiming(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    text = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def array_case(name: str, content: bytes, remedy: str = AGAIN) -> Case:
    return Case(f"npz: {name}", holds(ARRAYS, content), "train.npz", remedy, RUN, "arrays")


def mat(**content: Any) -> Spoil:
    return lambda folder: savemat(folder / SVHN, content)


def mat_case(name: str, remedy: str = AGAIN, **content: Any) -> Case:
    return Case(f"SVHN: {name}", mat(**content), "train_32x32.mat", remedy, RUN, "svhn")


X = COLOUR.transpose(1, 2, 3, 0)
LINE = b"1 " + b" ".join(b"%d:0" % index for index in range(1, 257))
SCALED = GREY.reshape(COUNT, -1) / 255
ONE = np.full(COUNT, 3)
SINGLE = "allow_single_class"

CASES = (
    *damaged(IMAGES, "mnist"), *damaged(DIGITS, "mnist"), *damaged(USPS, "usps"), *damaged(HDF5, "usps.h5"),
    *damaged(SVHN, "svhn"), *damaged(ARRAYS, "arrays"),
    idx_case("of floats", head(4, 16, 16, kind=13)),
    idx_case("of other dimensions", head(4, 256) + bytes(1024)),
    idx_case("with other first bytes", head(4, 16, 16, zeros=1)),
    idx_case("that claims petabytes", head(2**31 - 1, 2**20, 2**20), "SEGDA_MAX_ARCHIVE_BYTES="),
    idx_case("of a kilobyte that claims 7 gigabytes", head(7, 2**15, 2**15) + bytes(1000)),
    idx_case("of a negative size", head(2**32 - 1, 16, 16)),
    idx_case("with less than it claims", head(4, 16, 16) + bytes(1000)),
    idx_case("with more than it claims", head(4, 16, 16) + bytes(1025)),
    idx_case("that goes on for ever", head(4, 16, 16) + bytes(50_000_000)),
    idx_case("of no picture", head(0, 16, 16)),
    idx_case("of pictures without a pixel", head(4, 0, 0)),
    idx_case("of another number than labels", idx(GREY[:2]), "fetch both again"),
    Case("IDX: no gzip", holds(IMAGES, idx(GREY)), "train-images-idx3", AGAIN, RUN, "mnist"),
    Case("IDX: wrong checksum", holds(IMAGES, gzip.compress(idx(GREY))[:-8] + bytes(8)), "train-images-idx3", AGAIN,
         RUN, "mnist"),
    Case("IDX: a label that is no digit", holds(DIGITS, idx(np.array([1, 2, 3, 77], np.uint8))), "labels-idx1",
         AGAIN, RUN, "mnist"),
    Case("IDX: labels of one class", holds(DIGITS, idx(np.array([3, 3, 3, 3], np.uint8))), "labels-idx1", SINGLE, RUN,
         "mnist"),
    usps_case("no text", b"", AGAIN),
    usps_case("words", b"one two three\n"),
    usps_case("feature 0", b"1 0:1\n"),
    usps_case("feature 257", b"1 257:1\n"),
    usps_case("feature 1e30", b"1 1e30:1\n"),
    usps_case("a feature that is NaN", b"1 nan:1\n"),
    usps_case("a value that is NaN", LINE.replace(b"5:0", b"5:nan") + b"\n"),
    usps_case("a value of 1e999", LINE.replace(b"5:0", b"5:1e999") + b"\n"),
    usps_case("a value without a feature", b"1 1:\n2 :1\n"),
    usps_case("a label that is NaN", b"nan 1:0\n"),
    usps_case("a label that is infinite", b"inf 1:0\n"),
    usps_case("a label of 11", LINE + b"\n11 1:0\n"),
    usps_case("a bomb", b" " * 120_000_000, "USPS has 20 million"),
    Case("HDF5: no groups", hdf5(lambda file: None), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: a group for an array", hdf5(lambda file: file.create_group("train/data")), "usps.h5", AGAIN, RUN,
         "usps.h5"),
    Case("HDF5: an array of petabytes", hdf5(declared), "usps.h5", "SEGDA_MAX_ARCHIVE_BYTES=", RUN, "usps.h5"),
    Case("HDF5: an array of gigabytes that are not there", hdf5(lambda file: declared(file, 2**21)), "usps.h5", AGAIN,
         RUN, "usps.h5"),
    Case("HDF5: an array in another file", hdf5(elsewhere), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: NaN", hdf5_of(np.full((4, 256), np.nan), LABELS), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: values beyond 1", hdf5_of(SCALED * 255, LABELS), "usps.h5", "give its range", RUN, "usps.h5"),
    Case("HDF5: text for pixels", hdf5_of(np.array([b"a"] * 4), LABELS), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: pictures of another size", hdf5_of(SCALED[:, :100], LABELS), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: labels of another number", hdf5_of(SCALED, LABELS[:2]), "usps.h5", "fetch both again", RUN, "usps.h5"),
    Case("HDF5: labels that are NaN", hdf5_of(SCALED, np.full(4, np.nan)), "usps.h5", AGAIN, RUN, "usps.h5"),
    Case("HDF5: labels of 1e9", hdf5_of(SCALED, LABELS + 10**9), "usps.h5", AGAIN, RUN, "usps.h5"),
    mat_case("no X", y=LABELS[:, None]),
    mat_case("no y", X=X),
    mat_case("X as text", X="pixels", y=LABELS[:, None]),
    mat_case("X of floats", X=X / 255, y=LABELS[:, None]),
    mat_case("X of three dimensions", X=X[:, :, :, 0], y=LABELS[:, None]),
    mat_case("y of another number", "fetch both again", X=X, y=LABELS[:2, None]),
    mat_case("a label of 0", X=X, y=np.array([[0], [1], [2], [3]])),
    mat_case("labels that are NaN", X=X, y=np.full((4, 1), np.nan)),
    mat_case("labels that are text", X=X, y=["1234", "1234", "1234", "1234"]),
    mat_case("cells for labels", X=X, y=np.array([[1], ["a"], [2], [3]], dtype=object)),
    mat_case("labels of one class", SINGLE, X=X, y=ONE[:, None]),
    Case("SVHN: a file of a later MATLAB", holds(SVHN, b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(64)),
         "train_32x32.mat", AGAIN, RUN, "svhn"),
    array_case("no images", npz(labels=LABELS)),
    array_case("no labels", npz(images=COLOUR)),
    array_case("images of floats", npz(images=COLOUR / 255, labels=LABELS), "give `values"),
    array_case("images of two dimensions", npz(images=GREY[0], labels=LABELS)),
    array_case("images of two channels", npz(images=np.zeros((4, 8, 8, 2), np.uint8), labels=LABELS)),
    array_case("labels of floats", npz(images=COLOUR, labels=LABELS / 1.0)),
    array_case("labels that are NaN", npz(images=COLOUR, labels=np.full(4, np.nan))),
    array_case("labels of two dimensions", npz(images=COLOUR, labels=LABELS.reshape(2, 2))),
    array_case("labels of text", npz(images=COLOUR, labels=np.array(["a", "b", "c", "d"]))),
    array_case("a label of 10", npz(images=COLOUR, labels=np.array([1, 2, 3, 10]))),
    array_case("a label of -1", npz(images=COLOUR, labels=np.array([1, 2, 3, -1]))),
    array_case("a label of 2**63", npz(images=COLOUR, labels=np.array([1, 2, 3, 2**63], np.uint64))),
    array_case("labels of another number", npz(images=COLOUR, labels=LABELS[:3]), "fetch both again"),
    array_case("labels of one class", npz(images=COLOUR, labels=ONE), SINGLE),
    array_case("no picture", npz(images=COLOUR[:0], labels=LABELS[:0])),
    array_case("Python objects", npz(images=np.array([{"a": 1}], dtype=object), labels=LABELS)),
    array_case("an array of petabytes", zipped(images=npy_claiming((2**40, 32, 32)), labels=b""),
               "SEGDA_MAX_ARCHIVE_BYTES="),
    array_case("an array of a negative size", zipped(images=npy_claiming((-4, 32, 32)), labels=b"")),
    array_case("less than its head says", zipped(images=npy_claiming((4, 32, 32)) + b"123", labels=b"")),
    array_case("members that are no arrays", zipped(images=b"pixels", labels=b"numbers")),
    Case("npz: a value outside its range", lambda folder: (
        holds(ARRAYS, npz(images=COLOUR * 2.0, labels=LABELS))(folder)), "train.npz", "give its range",
        (*RUN, "--set", "stages.adapted.data.values=[0, 1]"), "arrays"),
    Case("npz: NaN for a pixel", holds(ARRAYS, npz(images=COLOUR * np.nan, labels=LABELS)), "train.npz", AGAIN,
         (*RUN, "--set", "stages.adapted.data.values=[0, 1]"), "arrays"),
    Case("npy: cut", cut("set/images.npy", 0.5), "images.npy", AGAIN, RUN, "npy"),
    Case("npy: a head that claims petabytes", holds("set/images.npy", npy_claiming((2**40, 32, 32))), "images.npy",
         "SEGDA_MAX_ARCHIVE_BYTES=", RUN, "npy"),
    Case("points: outside the square", holds(ARRAYS, npz(points=np.full((4, 2), 3.0), labels=LABELS % 2)), "train.npz",
         "scale both domains", RUN, "points"),
    Case("points: NaN", holds(ARRAYS, npz(points=np.full((4, 2), np.nan), labels=LABELS % 2)), "train.npz",
         "scale both domains", RUN, "points"),
    Case("points: of three numbers", holds(ARRAYS, npz(points=np.zeros((4, 3)), labels=LABELS % 2)), "train.npz",
         AGAIN, RUN, "points"),
    Case("points: a class too many", holds(ARRAYS, npz(points=np.zeros((4, 2)), labels=LABELS)), "train.npz", AGAIN,
         RUN, "points"),
)  # fmt: skip
