"""Files outside the package that name its version, files, sessions and commands name those that there are."""

import re

import yaml

import segda
from tests.structure.source import ROOT


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == segda.__version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["version"] in text("docs/citing.md")


def test_the_container_copies_what_an_installation_needs() -> None:
    copied = {
        name for line in re.findall(r"^COPY (.*) \S+$", text("Dockerfile"), re.MULTILINE) for name in line.split()
    }
    assert all((ROOT / name).exists() for name in copied)
    installed = re.findall(r'/\{([\w.,]+)\} "\$work/source"', text("tools/test_install.sh"))
    installed += re.findall(r'^cp "\$checkout/(\S+)" "\$work/source', text("tools/test_install.sh"), re.MULTILINE)
    assert copied == {*installed[0].split(","), *installed[1:], "constraints.txt"}
    extras = re.findall(r"^ARG EXTRAS=(.*)$", text("Dockerfile"), re.MULTILINE)[0].split(",")
    assert all(re.search(rf"^{extra} =$", text("setup.cfg"), re.MULTILINE) for extra in extras)


def test_hosted_machines_run_sessions_and_targets_that_there_are() -> None:
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    sessions = set(re.findall(r"^def (\w+)\(session", text("noxfile.py"), re.MULTILINE))
    pythons = set(re.findall(r"\d\.\d+", re.findall(r"^PYTHONS = (.*)$", text("noxfile.py"), re.MULTILINE)[0]))
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.MULTILINE))
    for job in workflow["jobs"].values():
        for command in (step["run"] for step in job["steps"] if "run" in step):
            for target in re.findall(r"^make (\S+)", command):
                assert target in targets
            for session in re.findall(r"^nox -s ([a-z]+)", command):
                assert session in sessions
            for path in re.findall(r"(?:^| )((?:\.ci|tests)/\S+)", command):
                assert (ROOT / path).exists()
    matrix = workflow["jobs"]["pythons"]["strategy"]["matrix"]["python"]
    assert {*matrix, "3.11"} == pythons


def test_sessions_cover_the_pythons_that_are_allowed() -> None:
    pythons = re.findall(r"\d\.\d+", re.findall(r"^PYTHONS = (.*)$", text("noxfile.py"), re.MULTILINE)[0])
    assert f"python_requires = >={pythons[0]}" in text("setup.cfg")
