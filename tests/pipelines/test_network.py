"""No command uses the network unless a download was requested by name; imports are watched, too."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipelines.command_line import COMMANDS
from segda.errors import DataError
from segda.evaluation import video
from tests.pipelines import tiny
from tests.structure.source import ROOT

# Watches a fresh process through Python's audit events, which every use of the socket module raises, and refuses.
PLANTED = "192.0.2.1"
WATCHED = (
    f"PLANTED = {PLANTED!r}"
    + """
import contextlib, json, socket, sys

seen = []


def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, (str, bytes)):  # a path is a local socket
            seen.append(f"{event} {address}")
            raise OSError("the network is forbidden here")
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "http.client.connect"):
        seen.append(f"{event} {arguments[0]}")
        raise OSError("the network is forbidden here")


sys.addaudithook(watch)
from pipelines.__main__ import main

codes = {}
for words in json.loads(sys.argv[1]):
    codes[" ".join(words)] = main(words)
with contextlib.suppress(OSError):
    socket.create_connection((PLANTED, 80))
print("\\n" + json.dumps({"seen": seen, "codes": codes}))
"""
)


def watched(folder: Path, *commands: list[str]) -> tuple[list[str], dict[str, int]]:
    """Run commands in `folder` in one fresh process; the attempts to use the network, and the exit codes."""
    import json

    # As on a user's machine, no variable declares it offline.
    silenced = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "NO_ALBUMENTATIONS_UPDATE", "HF_DATASETS_OFFLINE")
    environment = {name: value for name, value in os.environ.items() if name not in silenced}
    environment |= {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "empty"), "TORCH_HOME": str(folder / "empty")}
    environment |= {"OMP_NUM_THREADS": "1", "SEGDA_IMPORTED": str(folder / "imported")}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, json.dumps(commands)],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert PLANTED in report["seen"][-1], "otherwise the watch does not work"
    return report["seen"][:-1], report["codes"]


@pytest.mark.promise("no-network")
@pytest.mark.slow
def test_no_command_reaches_the_network(finished: Path, job: Path, tmp_path: Path) -> None:
    runs = tiny.without(finished, tmp_path / "runs", "both", "evaluate", "report")
    torch.save({"a": torch.ones(2)}, tmp_path / "net.pth")
    (tmp_path / "pictures").mkdir()
    assert cv2.imwrite(str(tmp_path / "pictures" / "a.png"), np.zeros((64, 96, 3), np.uint8))
    streets, export = tiny.folder(finished, "streets").name, tiny.folder(finished, "adapted").name
    camera = ["cityscapes", "--split", "val"]
    root = f"runs/{streets}/camera"
    commands = [
        ["run", str(job)],
        ["run", "--from-manifest", f"runs/{streets}", "--runs", "again"],
        ["run", "gta5_to_cityscapes", "--plan"],
        ["status", "tiny", "--verify"],
        ["check", f"runs/{export}"],
        ["pack", str(job)],
        ["check", *camera, "--root", root],
        ["evaluate", "tiny", "--stage", "pixel", "--cpu", "--data", *camera, "--root", root],
        ["predict", "tiny", "pictures", "-o", "out", "--stage", "pixel", "--cpu"],
        ["report", "tiny"],
        ["table", "tiny"],
        ["distance", "tiny", "--stage", "pixel", "--cpu", "--count", "8", "--source", f"runs/{export}", "--target",
         "cityscapes", "--target-root", root],
        ["select", "tiny", "--stage", "pixel", "--cpu", "--count", "16", "--target", "cityscapes",
         "--target-root", root],
        ["import", "net.pth"],
        ["score", "out/ids", "out/ids", "--predicted-as", "train-ids", "--labelled-as", "train-ids"],
        ["list", "encoders"],
        ["init", "own", "--source", f"runs/{export}", "--target", "pictures", "--encoder", "small"],
        ["schema"],
    ]  # fmt: skip
    assert {words[0] for words in commands} == set(COMMANDS), "every command there is"
    seen, codes = watched(tmp_path, *commands)
    assert seen == []
    refused = {words for words, code in codes.items() if code}
    # There are too few images for a distance; what matters is that no import or reading used the network.
    assert all(words.startswith(("distance", "check cityscapes")) for words in refused), codes
    assert runs.is_dir()


@pytest.mark.promise("no-network")
@pytest.mark.slow
def test_a_download_that_was_asked_for_by_name_is_tried(tmp_path: Path) -> None:
    """When refused, it ends with one line and exit code 2."""
    (tmp_path / "job.yaml").write_text(
        "base: streets\nruntime: {workers: 0, cpu: true}\nstages:\n"
        "  streets: {rendered: 4, camera_train: 4, camera_val: 2, size: [64, 128]}\n"
        "  source:\n    data: {resize: null}\n    crop: [32, 64]\n    steps: 1\n    batch: 2\n"
        "    networks: {encoder: {name: dilated_resnet, depth: 18, weights: imagenet, width: null}}\n"
    )
    seen, codes = watched(tmp_path, ["run", "job.yaml", "--only", "streets", "--only", "source"])
    assert list(codes.values()) == [2]
    assert seen


def test_a_video_that_is_a_list_of_addresses_is_not_followed(tmp_path: Path) -> None:
    """OpenCV's FFmpeg opens sockets that Python does not see, so a server listens for connections."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        for name, content in {
            "list.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://{address}/x.ts\n#EXT-X-ENDLIST\n",
            "many.mp4": f"ffconcat version 1.0\nfile http://{address}/x.mp4\n",
            "stream.mp4": f"v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {address[10:]} RTP/AVP 96\n",
        }.items():
            (tmp_path / name).write_text(content)
            with pytest.raises(DataError, match="no video that OpenCV reads"):
                video.describe(tmp_path / name)
        with pytest.raises(TimeoutError):
            server.accept()
