"""The tests on each Python and with the lowest and newest packages: `nox`, or one session such as `nox -s tests-3.12`.

Each session installs into an environment of its own. A Python that is not there is left out, and said.
"""

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.error_on_missing_interpreters = False
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
CPU = "https://download.pytorch.org/whl/cpu"
QUICK = ["tests/structure", "tests/contracts", "tests/configs", "tests/equivalence", "tests/docs", "tests/cli"]


def install(session: nox.Session, extra: str, *options: str) -> None:
    """Install segda with an extra; PyTorch's CPU builds, which are a tenth of the others, if SEGDA_CPU is set."""
    index = ["--extra-index-url", CPU] if session.env.get("SEGDA_CPU") else []
    session.install(*index, *options, "--editable", f".[{extra}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and types."""
    install(session, "test", "--constraint", "constraints.txt")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The default tests with the pinned packages, or those of some folders: `nox -s tests-3.10 -- FOLDER`."""
    install(session, "test", "--constraint", "constraints.txt")
    session.run("python", "-m", "pytest", "-q", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=PYTHONS)
def newest(session: nox.Session) -> None:
    """The quick tests with the newest packages of the index."""
    install(session, "test", "--upgrade")
    session.run("python", "-m", "pytest", "-q", *(session.posargs or QUICK), env={"OMP_NUM_THREADS": "1"})


@nox.session(python="3.10", venv_backend="uv")
def oldest(session: nox.Session) -> None:
    """The quick tests on the lowest Python, with the lowest packages that setup.cfg and the tests' own allow."""
    session.install("--resolution", "lowest-direct", "--requirements", "setup.cfg")
    install(session, "test")
    session.run("python", "-m", "pytest", "-q", *(session.posargs or QUICK), env={"OMP_NUM_THREADS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into docs/_build; warnings are errors."""
    install(session, "docs", "--constraint", "constraints.txt")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "docs/_build")


@nox.session
def notebooks(session: nox.Session) -> None:
    """Every notebook of examples/, executed."""
    install(session, "notebooks,test", "--constraint", "constraints.txt")
    session.run("python", "-m", "pytest", "-q", "-m", "", "tests/examples/test_notebooks.py")
