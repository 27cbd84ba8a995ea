"""N steps equal k steps, death, and N - k steps, bit for bit: every method, both tasks, one process and two."""

import shutil
from pathlib import Path
from random import Random

import pytest

from tests.resume import jobs, ranks

# The kinds of state: image pools; a teacher; Wasserstein critics with updates of their own; statistics that a stage
# keeps beside its networks.
DEFAULT = [
    ("segmentation", "cyclegan", 1, 0),
    ("segmentation", "self_training", 1, 2),
    ("segmentation", "i2i_gta5", 2, 0),
    ("classification", "coral", 2, 2),
]
WHOLE = [(*case, world, workers) for case in jobs.CASES for world in (1, 2) for workers in (0, 2)]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each task a runs folder with the data and the classifier, which all its methods share."""
    made = {}
    for task in ("segmentation", "classification"):
        made[task] = tmp_path_factory.mktemp(task)
        file = jobs.write(made[task], task, "source_only")
        for name in ("data", "classifier"):
            assert not ranks.killed(lambda: jobs.run(file, made[task], only=name), 0, ())  # noqa: B023
    return made


def compare(data: Path, folder: Path, case: tuple[str, str, int, int]) -> None:
    """Run a method undisturbed, then with two deaths, and compare all that is left."""
    task, method, world, workers = case
    random, told = Random(f"resume {case}"), []
    file = jobs.write(folder, task, method)
    settings = [f"runtime.workers={workers}"]
    places = []
    for name in ("undisturbed", "killed"):
        shutil.copytree(data, folder / name)
        if name == "killed":
            updates = jobs.STEPS * int(jobs.stage(task, method).get("discriminator_steps", 1))
            # Once in a step, and once before a file gets its name: of a checkpoint, of a network, of the manifest.
            for kind, moment in (("step", random.randint(2, updates)), ("publish", random.randint(2, 5))):
                victim = random.randrange(world) if kind == "step" else 0
                died = ranks.killed(
                    lambda: jobs.run(file, folder / "killed", *settings, only=method), moment, (kind,), world, victim
                )
                told.append(f"{kind} {moment} of process {victim}: {'killed' if died else 'ended before'}")
            assert told[0].endswith("killed"), told
        assert not ranks.killed(
            lambda: jobs.run(file, folder / name, *settings, only=method), 0, (), world  # noqa: B023
        )  # fmt: skip
        places.append(jobs.folder(file, folder / name, method))
    expected, found = (jobs.result(place) for place in places)
    assert [name for name in expected if name.startswith("log")] == [f"log {n}" for n in range(1, jobs.STEPS + 1)]
    assert any(name.startswith("networks/") for name in expected)
    differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    assert not differing, f"{case}, {told}"
    assert jobs.leftovers(places[1]) == [], told


@pytest.mark.parametrize("case", DEFAULT, ids=str)
def test_a_method_that_is_killed_ends_with_the_same_bits(
    data: dict[str, Path], tmp_path: Path, case: tuple[str, str, int, int]
) -> None:
    compare(data[case[0]], tmp_path, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in WHOLE if case not in DEFAULT], ids=str)
def test_every_method_that_is_killed_ends_with_the_same_bits(
    data: dict[str, Path], tmp_path: Path, case: tuple[str, str, int, int]
) -> None:
    compare(data[case[0]], tmp_path, case)
