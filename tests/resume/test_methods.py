"""N steps equal k steps, a kill, and N - k steps, bit for bit: every method, both tasks, one process and two."""

import shutil
from pathlib import Path
from random import Random

import pytest

from tests.resume import jobs, ranks

# The kinds of state: image pools; a teacher; Wasserstein critics with extra updates; statistics that a stage
# computes once.
DEFAULT = [
    ("segmentation", "cyclegan", 1, 0),
    ("segmentation", "self_training", 1, 2),
    ("segmentation", "i2i_gta5", 2, 0),
    ("classification", "coral", 2, 2),
]
WHOLE = [(*case, world, workers) for case in jobs.CASES for world in (1, 2) for workers in (0, 2)]


def case_id(case: tuple[str, str, int, int]) -> str:
    task, method, world, workers = case
    return f"{task}-{method}-processes{world}-workers{workers}"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each task a runs folder with the data and classifier that its methods share."""
    roots = {}
    for task in ("segmentation", "classification"):
        roots[task] = tmp_path_factory.mktemp(task)
        file = jobs.write(roots[task], task, "source_only")
        for name in ("data", "classifier"):
            assert not ranks.killed(lambda: jobs.run(file, roots[task], only=name), 0, ())  # noqa: B023
    return roots


def compare(data: Path, folder: Path, case: tuple[str, str, int, int]) -> None:
    """Run a method without interruption, then with two kills, and compare everything in its folder."""
    task, method, world, workers = case
    random, kills = Random(f"resume {case}"), []
    file = jobs.write(folder, task, method)
    results = []
    for name in ("undisturbed", "killed"):
        shutil.copytree(data, folder / name)

        def work(runs: Path = folder / name) -> None:
            jobs.run(file, runs, f"runtime.workers={workers}", only=method)

        if name == "killed":
            updates = jobs.STEPS * int(jobs.stage(task, method).get("discriminator_steps", 1))
            # Once in a step, and once before the rename of a checkpoint, a network or the manifest.
            renames = ("replace", "rename")
            for kinds, moment in ((("step",), random.randint(2, updates)), (renames, random.randint(2, 5))):
                victim = 0 if kinds == renames else random.randrange(world)
                died = ranks.killed(work, moment, kinds, world, victim)
                kills.append(f"{kinds[0]} {moment} of process {victim}: {'killed' if died else 'ended before'}")
            assert kills[0].endswith("killed"), kills
        assert not ranks.killed(work, 0, (), world)
        results.append(jobs.folder(file, folder / name, method))
    expected, resumed = (jobs.result(result) for result in results)
    assert [name for name in expected if name.startswith("log")] == [f"log {n}" for n in range(1, jobs.STEPS + 1)]
    assert any(name.startswith("networks/") for name in expected)
    differing = sorted(name for name in expected.keys() | resumed.keys() if expected.get(name) != resumed.get(name))
    assert not differing, f"{case}, {kills}"
    assert jobs.leftovers(results[1]) == [], kills


@pytest.mark.promise("killed-method")
@pytest.mark.parametrize("case", DEFAULT, ids=case_id)
def test_a_method_that_is_killed_ends_with_the_same_bits(
    data: dict[str, Path], tmp_path: Path, case: tuple[str, str, int, int]
) -> None:
    compare(data[case[0]], tmp_path, case)


@pytest.mark.promise("killed-method")
@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in WHOLE if case not in DEFAULT], ids=case_id)
def test_every_method_that_is_killed_ends_with_the_same_bits(
    data: dict[str, Path], tmp_path: Path, case: tuple[str, str, int, int]
) -> None:
    compare(data[case[0]], tmp_path, case)
