"""Configs, weights, checkpoints and archives come from others: no line of the source can run what is in them."""

import ast

import pytest

from tests.structure import source
from tests.structure.hazards import hazards

SHIPPED = source.files("segda", "pipelines", "tools")


def test_there_is_a_source() -> None:
    assert len(SHIPPED) > 200


@pytest.mark.promise("no-unsafe-calls")
def test_no_line_runs_what_strangers_wrote_or_reaches_the_network() -> None:
    assert [f"{path}:{line}: {name}" for path in SHIPPED for line, name in hazards(source.tree(path))] == []


@pytest.mark.parametrize("planted", [
    "import pickle", "from pickle import loads", "import pickle as harmless", "import numpy, dill", "eval(text)",
    "list(map(eval, texts))", "exec(compile(text, name, 'exec'))", "__import__(name)",
    "import os; os.system(command)", "from os import system as run; run(command)",
    "import os as operating; operating.popen(command)", "import yaml; yaml.load(text)",
    "import yaml; yaml.load(text, Loader=yaml.Loader)", "import yaml; yaml.load(text, yaml.FullLoader)",
    "from yaml import load; load(text)", "import yaml\nclass Mine(yaml.UnsafeLoader): pass",
    "import yaml; yaml.unsafe_load(text)", "import subprocess; subprocess.run(words, shell=True)",
    "import subprocess; subprocess.run(words, shell=given)", "import subprocess; subprocess.run('rm -r ' + name)",
    "import subprocess; subprocess.Popen(f'rm {name}')", "import subprocess; subprocess.check_output('ls')",
    "import subprocess; subprocess.getoutput(words)", "import torch; torch.load(path)",
    "import torch; torch.load(path, weights_only=False)", "from torch import load; load(path)",
    "import torch as t; t.load(path, weights_only=trusted)", "import torch; torch.save(tensors, path)",
    "import torch; torch.hub.load(place, name)", "import numpy as np; np.load(path, allow_pickle=True)",
    "import numpy as np; np.load(path, allow_pickle=wanted)", "import tempfile; tempfile.mktemp()",
    "import tarfile; tarfile.open(path).extractall(folder)",
    "import zipfile\nwith zipfile.ZipFile(path) as archive: archive.extract(name, folder)",
    "import shutil; shutil.unpack_archive(path, folder)", "import urllib.request", "from urllib import request",
    "import requests", "import socket; socket.create_connection(place)", "from socket import socket; socket()",
    "def inner():\n    import pickle",
])  # fmt: skip
def test_a_planted_hazard_is_noticed(planted: str) -> None:
    assert list(hazards(ast.parse(planted)))


@pytest.mark.parametrize("harmless", [
    "import torch; torch.load(path, weights_only=True)", "import yaml; yaml.load(text, Loader=yaml.SafeLoader)",
    "import yaml; yaml.safe_load(text)", "import re; re.compile(text)", "network.eval()",
    "import numpy as np; np.load(path, allow_pickle=False)", "import socket; socket.gethostname()",
    "import subprocess; subprocess.run(['git', '-C', place])", "from urllib.parse import quote",
    "import tempfile; tempfile.TemporaryDirectory()",
])  # fmt: skip
def test_harmless_code_passes(harmless: str) -> None:
    assert list(hazards(ast.parse(harmless))) == []


def test_archives_of_arrays_are_read_without_objects() -> None:
    """`numpy.load` refuses objects by default; the argument is written out where files of others are read."""
    for path in source.files("segda", "pipelines"):
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
                arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert arguments.get("allow_pickle") == "False", f"{path}:{node.lineno}"
