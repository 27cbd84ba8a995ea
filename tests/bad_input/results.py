"""Damaged results: manifests, lock files, scores, networks, checkpoints; and weights, images and videos."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors.torch
import torch

from tests.bad_input import images
from tests.bad_input.archives import holds as written
from tests.bad_input.case import Case, Handled, Spoil
from tools.fuzz_files import HEIGHT, WIDTH, pictures

RUN, REPORT, TABLE = ("run", "job.yaml"), ("report", "job"), ("table", "job")
EVALUATE = ("evaluate", "job", "--data", "scored.yaml", "--cpu")
MANIFEST, LOCK, SCORES = "runs/supervise-*/manifest.json", "runs/job.lock.json", "runs/evaluate-*/evaluation.json"
STAGE, HEAD, EXPORT = "runs/supervise-*/stage.json", "runs/supervise-*/networks/head.safetensors", "runs/export-*"
AGAIN, WEIGHTS = "run the stage again", "weights.safetensors"


def holds(pattern: str, content: bytes | Callable[[bytes], bytes], *gone: str) -> Spoil:
    """Replace the content of one file and remove others."""

    def spoil(folder: Path) -> None:
        (folder / "scored.yaml").write_text("{name: cityscapes, root: set}")
        file = next(iter(folder.glob(pattern)), folder / pattern)
        file.write_bytes(content if isinstance(content, bytes) else content(file.read_bytes()))
        for pattern_of_gone in gone:
            next(folder.glob(pattern_of_gone)).unlink()

    return spoil


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(index: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        data = bytearray(content)
        data[index] ^= 0x20
        return bytes(data)

    return change


def with_entry(*path: str, value: Any, keep_checksum: bool = False) -> Callable[[bytes], bytes]:
    """Replace one entry of a JSON file; without a checksum it is as written by an older segda."""

    def change(content: bytes) -> bytes:
        whole = json.loads(content)
        node = whole
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        if not keep_checksum:
            whole.pop("checksum")
        return json.dumps(whole).encode()

    return change


DAMAGE: tuple[tuple[str, Any], ...] = (
    ("empty", b""), ("text", b"done\n"), ("cut", cut), ("a list", b"[]"), ("no UTF-8", b'{"a": "\xff"}'),
    ("100,000 deep", b'{"a":' * 100_000),
)  # fmt: skip


def every(name: str, pattern: str, names: str, words: tuple[str, ...], *gone: str) -> tuple[Case, ...]:
    return tuple(
        Case(f"{name}: {what}", holds(pattern, content, *gone), names, "", words, "run") for what, content in DAMAGE
    )


def weights_case(name: str, content: dict[str, torch.Tensor] | bytes, remedy: str) -> Case:
    encoder = f"stages.source.networks.encoder={{name: dilated_resnet, depth: 18, weights: {WEIGHTS}}}"
    words = ("run", "job.yaml", "--only", "source", "--set", encoder)
    data = content if isinstance(content, bytes) else safetensors.torch.save(content)
    return Case(f"weights: {name}", written(WEIGHTS, data), WEIGHTS, remedy, words, "run")


def predicted(path: str) -> tuple[str, ...]:
    return ("predict", "job", path, "-o", "out", "--cpu")


def video(path: str, codec: str, share: float) -> Spoil:
    def spoil(folder: Path) -> None:
        opened = cv2.VideoWriter(str(folder / path), cv2.VideoWriter.fourcc(*codec), 10.0, (WIDTH, HEIGHT))
        for number in range(3):
            opened.write(pictures(number))
        opened.release()
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[: int(len(content) * share)])

    return spoil


CASES = (
    *every("manifest.json", MANIFEST, "manifest.json", RUN),
    *every("lock file", LOCK, "job.lock.json", REPORT),
    *every("lock file for the table", LOCK, "job.lock.json", TABLE),
    *every("evaluation.json", SCORES, "evaluation.json", REPORT),
    *every("stage.json", STAGE, "stage.json", RUN, MANIFEST)[:5],
    *every("networks", HEAD, "head.safetensors", EVALUATE)[:4],
    *every("results file", "results.json", "results.json", ("table", "results.json"))[:2],
    Case("manifest.json: a changed letter", holds(MANIFEST, flipped(300)), "manifest.json", "move", RUN, "run"),
    Case("manifest.json: a changed number of steps", holds(
        MANIFEST, with_entry("config", "steps", value=3, keep_checksum=True)), "manifest.json", AGAIN, RUN, "run"),
    Case("manifest.json: of a later segda", holds(MANIFEST, with_entry("schema", value=9, keep_checksum=True)),
         "manifest.json", "schema", RUN, "run"),
    *(Case(f"manifest.json: {key} is {value!r}", holds(MANIFEST, with_entry(key, value=value)), key, AGAIN, RUN, "run")
      for key, value in (("outputs", []), ("outputs", {"a": 1}), ("outputs", {"a": {}}), ("config", None), ("key", 3),
                         ("inputs", {"a": 1}), ("metrics", "none"), ("version", "1"))),
    *(Case(f"lock file: {key} is {value!r}", holds(LOCK, with_entry(key, value=value)), key, "write it again", REPORT,
           "run")
      for key, value in (("stages", {"a": {}}), ("stages", {"a": None}), ("config", {}), ("config", {"stages": [1]}))),
    Case("lock file: a changed letter", holds(LOCK, flipped(300)), "job.lock.json", "", REPORT, "run"),
    Case("no such run", lambda folder: None, "other.lock.json", "runs in runs: job", ("report", "other"), "run"),
    Case("evaluation.json: a changed digit", holds(SCORES, flipped(900)), "evaluation.json", "--force", REPORT, "run"),
    Case("evaluation.json: missing", lambda folder: next(folder.glob(SCORES)).unlink(), "evaluation.json", "--force",
         REPORT, "run"),
    Case("results file: of another schema", written("results.json", b'{"schema": 9, "runs": []}'), "results.json",
         "write one", ("table", "results.json"), "run"),
    Case("results file: runs that are a number", written("results.json", b'{"schema": 1, "runs": 3}'), "results.json",
         "write one", ("table", "results.json"), "run"),
    Case("results file: a run that is empty", written("results.json", b'{"schema": 1, "runs": [{}]}'), "results.json",
         "write it again", ("table", "results.json"), "run"),
    Case("results file: scores that are none", written(
        "results.json", b'{"schema": 1, "runs": [{"seed": 0, "origin": {}, "evaluations": {"a": {}}}]}'),
        "results.json", "write it again", ("table", "results.json"), "run"),
    Case("selection.json: a list of picks", written("runs/job.selection.json", b'{"picks": [1]}'),
         "job.selection.json", "write it again", TABLE, "run"),
    Case("networks: a changed head", holds(HEAD, flipped(12)), "head.safetensors", "", EVALUATE, "run"),
    Case("networks: a head that claims gigabytes", holds(HEAD, lambda content: b"\xff" * 8 + content[8:]),
         "head.safetensors", "", EVALUATE, "run"),
    Case("networks: missing", lambda folder: (holds(HEAD, b"")(folder), next(folder.glob(HEAD)).unlink()), "job",
         "run it first", EVALUATE, "run"),
    weights_case("empty", b"", "expected"),
    weights_case("text", b"not found", "expected"),
    weights_case("a head that claims gigabytes", b"\xff" * 8 + b"{}", "expected"),
    weights_case("nothing in it", {}, "same architecture"),
    weights_case("of another network", {"conv1.weight": torch.zeros(4, 3, 3, 3)}, "same architecture"),
    Case("predict: no such file", lambda folder: None, "gone.png", "no such file", predicted("gone.png"), "run"),
    Case("predict: an empty folder", lambda folder: (folder / "empty").mkdir(), "empty", "expected files",
         predicted("empty"), "run"),
    Case("predict: another ending", written("notes.txt", b"x"), "notes.txt", "expected an ending",
         predicted("notes.txt"), "run"),
    Case("predict: a picture of text", written("a.png", b"x"), "a.png", "fetch", predicted("a.png"), "run"),
    Case("predict: a bomb", written("a.png", images.png(30_000, 30_000)), "a.png", "SEGDA_MAX_PIXELS=",
         predicted("a.png"), "run"),
    Case("predict: an animation", written("a.webp", images.frames("WEBP")), "a.webp", "files of their own",
         predicted("a.webp"), "run"),
    Case("predict: a pipe", lambda folder: os.mkfifo(folder / "a.png"), "a.png", "no such file", predicted("a.png"),
         "run"),
    Case("video: empty", written("a.mp4", b""), "a.mp4", "convert it", predicted("a.mp4"), "run"),
    Case("video: text", written("a.mp4", b"not found"), "a.mp4", "convert it", predicted("a.mp4"), "run"),
    Case("video: cut", video("a.mp4", "mp4v", 0.5), "a.mp4", "convert it", predicted("a.mp4"), "run"),
    Case("video: without a frame", video("a.avi", "MJPG", 0.3), "a.avi", "", predicted("a.avi"), "run"),
)  # fmt: skip


def goes_on(folder: Path) -> None:
    assert next(folder.glob(MANIFEST)).is_file()


def scaled_down(folder: Path) -> None:
    assert np.asarray(cv2.imread(str(folder / "out/ids/a.png"), cv2.IMREAD_UNCHANGED)).shape == (1, 1)


LAST = "runs/supervise-*/checkpoints/step-00000001"
HANDLED = (
    Handled("a cut checkpoint is passed over", holds(f"{LAST}/tensors.safetensors", cut, MANIFEST), goes_on, RUN,
            "run"),
    Handled("a checkpoint of text is passed over", holds(f"{LAST}/state.json", b"step 2", MANIFEST), goes_on, RUN,
            "run"),
    Handled("an empty checkpoint is passed over", holds(f"{LAST}/state.json", b"", MANIFEST), goes_on, RUN, "run"),
    Handled("a picture of one pixel is predicted", written("a.png", images.png(1, 1, rows=bytes(4))), scaled_down,
            predicted("a.png"), "run"),
)  # fmt: skip
