"""Lists and indices of images: MNIST-M's labels, class folders, GTA5's split, an export's `dataset.json`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat

from tests.bad_input.archives import AGAIN, cut, holds, missing
from tests.bad_input.case import RUN, Case, Spoil

LIST, INDEX, SPLIT = "set/mnist_m_train_labels.txt", "set/dataset.json", "set/split.mat"


def listed(text: str | bytes) -> Spoil:
    return holds(LIST, text.encode() if isinstance(text, str) else text)


def indexed(**changes: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / INDEX).read_text())
        for name, value in changes.items():
            content.pop(name) if value is None else content.__setitem__(name, value)
        (folder / INDEX).write_text(json.dumps(content))

    return spoil


def index_case(
    name: str, remedy: str = "export the data set again", names: str = "dataset.json", **changes: Any
) -> Case:
    return Case(f"dataset.json: {name}", indexed(**changes), names, remedy, RUN, "adapted")


CASES = (
    Case("MNIST-M: no list", missing(LIST), "mnist_m_train_labels.txt", "the layout needs it", RUN, "mnist_m"),
    Case("MNIST-M: an empty list", listed(""), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a line of one word", listed("0.png\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a label of text", listed("0.png seven\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a label that is NaN", listed("0.png nan\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a superscript for a label", listed("0.png ²\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a label of 30 digits", listed(f"0.png 1\n1.png 2\n2.png 3\n3.png {10**30}\n"),
         "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a file twice", listed("0.png 1\n0.png 2\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: files that are missing", listed("\n".join(f"{number}.png 1" for number in range(9))),
         "label without image", "`exclude`", RUN, "mnist_m"),
    Case("MNIST-M: no UTF-8", listed(b"0.png\xff 1\n"), "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("MNIST-M: a label outside the digits", listed("0.png 1\n1.png 2\n2.png 3\n3.png 30\n"),
         "mnist_m_train_labels.txt", AGAIN, RUN, "mnist_m"),
    Case("class folders: one too few", lambda folder: (folder / "set/3/1.jpg").unlink(), "class without pictures",
         "must have the classes", RUN, "class_folders"),
    Case("class folders: one too many", lambda folder: (folder / "set/ten").mkdir(), "unknown class folder (ten)",
         "must have the classes", RUN, "class_folders"),
    Case("class folders: two of one class", lambda folder: (folder / "set/ 3").mkdir(), "second folder of a class",
         "must have the classes", RUN, "class_folders"),
    Case("class folders: a picture of text", lambda folder: (folder / "set/3/1.jpg").write_text("none"), "set/3/1.jpg",
         AGAIN, RUN, "class_folders"),
    Case("split.mat: cut", cut(SPLIT, 0.5), "split.mat", "fetch it again", RUN, "gta5"),
    Case("split.mat: empty", holds(SPLIT, b""), "split.mat", "fetch it again", RUN, "gta5"),
    Case("split.mat: no list", lambda folder: savemat(folder / SPLIT, {"a": [1]}), "split.mat", "fetch it again", RUN,
         "gta5"),
    Case("split.mat: NaN", lambda folder: savemat(folder / SPLIT, {"trainIds": [np.nan]}), "split.mat",
         "fetch it again", RUN, "gta5"),
    Case("split.mat: missing", missing(SPLIT), "split.mat", "leave out `split_file`", RUN, "gta5"),
    Case("split.mat: frames that are not there", lambda folder: savemat(folder / SPLIT, {"trainIds": [[9]]}),
         "no images found", "layout", RUN, "gta5"),
    Case("dataset.json: missing", missing(INDEX), "dataset.json", "run it to its end", RUN, "adapted"),
    Case("dataset.json: empty", holds(INDEX, b""), "dataset.json", "export the data set again", RUN, "adapted"),
    Case("dataset.json: cut", cut(INDEX, 0.5), "dataset.json", "export the data set again", RUN, "adapted"),
    Case("dataset.json: a list", holds(INDEX, b"[]"), "dataset.json", "export the data set again", RUN, "adapted"),
    Case("dataset.json: no UTF-8", holds(INDEX, b'{"space": "\xff"}'), "dataset.json", "export the data set again",
         RUN, "adapted"),
    Case("dataset.json: 100,000 deep", holds(INDEX, b"[" * 100_000), "dataset.json", "export the data set again", RUN,
         "adapted"),
    index_case("no keys", keys=None),
    index_case("keys that are a number", keys=3),
    index_case("a key twice", keys=["a", "a"]),
    index_case("a key that leads out", "export the data set again", keys=["../a", "b"]),
    index_case("an absolute key", "export the data set again", keys=["/a", "b"]),
    index_case("a key with a null byte", "export the data set again", keys=["a\0", "b"]),
    index_case("a key that is not there", names="images/c.png", keys=["a", "c"]),
    index_case("fewer labels than keys", labels=[1]),
    index_case("labels that are text", AGAIN, labels=["1", "2"]),
    index_case("labels that are NaN", AGAIN, labels=[float("nan"), 1]),
    index_case("a label outside the classes", AGAIN, labels=[1, 12]),
    index_case("classes of another space", classes=["a", "b"]),
    index_case("another layout", "layout segda", layout="parquet"),
    index_case("files that are a list", files=[1]),
    index_case("a file without a size", files={"images/a.png": {}}),
    index_case("a file of another size", names="images/a.png", files={"images/a.png": {"bytes": 3}}),
)  # fmt: skip
