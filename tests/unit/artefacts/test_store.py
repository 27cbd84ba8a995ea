"""The store: three states, nothing deleted, one process per folder."""

from pathlib import Path

import pytest

from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.errors import ArtefactError

KEY = "ab12cd34" + "0" * 56
SAME_PREFIX = "ab12cd34" + "1" * 56


def finish(folder: Path, key: str) -> None:
    (folder / "out.txt").write_text("result")
    outputs = manifests.describe_outputs(folder, ["out.txt"])
    manifests.write(folder, Manifest("align", "align", 1, key, {}, {}, outputs))


def test_from_nothing_to_done(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    result = store.find("align", KEY)
    assert (result.state, result.folder.name) == ("run", "align-ab12cd34")
    assert "no result for key ab12cd34" in result.reason
    assert not result.folder.exists()

    folder = store.begin("align", KEY, {"stage": "align"})
    assert store.find("align", KEY).state == "resume"
    (folder / "checkpoint").touch()
    assert store.begin("align", KEY, {}) == folder
    assert (folder / "checkpoint").exists()

    finish(folder, KEY)
    assert store.find("align", KEY).state == "done"
    with pytest.raises(ArtefactError, match="finished already"):
        store.begin("align", KEY, {})


@pytest.mark.promise("damaged-output")
def test_a_damaged_result_runs_again_and_is_kept_aside(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.begin("align", KEY, {})
    finish(folder, KEY)
    (folder / "out.txt").write_text("res")
    result = store.find("align", KEY)
    assert (result.state, result.reason) == ("run", "damaged: out.txt has 3 bytes, its manifest says 6")
    store.begin("align", KEY, {})
    assert store.find("align", KEY).state == "resume"
    assert (tmp_path / "align-ab12cd34.replaced-1" / "out.txt").read_text() == "res"


@pytest.mark.promise("foreign-folder")
def test_another_key_with_the_same_prefix_is_never_taken_for_this_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.begin("align", KEY, {})
    with pytest.raises(ArtefactError, match="another key"):
        store.find("align", SAME_PREFIX)
    finish(folder, KEY)
    for attempt in (store.find, store.replace):
        with pytest.raises(ArtefactError, match="another key"):
            attempt("align", SAME_PREFIX)


@pytest.mark.promise("foreign-folder")
def test_a_strange_folder_is_not_touched(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.folder("align", KEY).mkdir()
    assert store.find("align", KEY).state == "run"
    (store.folder("align", KEY) / "thesis.tex").touch()
    with pytest.raises(ArtefactError, match="no run folder"):
        store.begin("align", KEY, {})
    assert (store.folder("align", KEY) / "thesis.tex").exists()


@pytest.mark.promise("force-deletes-nothing")
def test_replace_counts_up(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.replace("align", KEY) is None
    names = []
    for _ in range(2):
        store.begin("align", KEY, {})
        aside = store.replace("align", KEY)
        assert aside is not None
        names.append(aside.name)
    assert names == ["align-ab12cd34.replaced-1", "align-ab12cd34.replaced-2"]


@pytest.mark.promise("one-process-per-folder")
def test_one_worker_a_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.folder("align", KEY)
    with store.claim(folder):
        with pytest.raises(ArtefactError, match="another process works in it"), store.claim(folder):
            pass
        with store.claim(store.folder("align", "ff" + KEY)):
            pass
    with store.claim(folder):
        pass
    assert list(tmp_path.iterdir()) == [], "a released claim leaves nothing"


@pytest.mark.promise("stale-lock-removed")
def test_a_dead_holders_claim_on_a_finished_folder_is_cleared_and_a_living_ones_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.folder("align", KEY)
    store.clear_claim(folder)
    assert list(tmp_path.iterdir()) == [], "no claim is created"
    left = store.claim(folder).path
    left.write_text("")
    store.clear_claim(folder)
    assert not left.exists()
    with store.claim(folder):
        store.clear_claim(folder)
        assert left.exists()
        with pytest.raises(ArtefactError, match="another process works in it"), store.claim(folder):
            pytest.fail("it was not to be had")


@pytest.mark.promise("read-only-folder")
def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file")
    for attempt in (lambda: store.begin("align", KEY, {}), store.claim_run("job").take):
        with pytest.raises(ArtefactError, match="choose another --runs"):
            attempt()


def test_lock_files_name_the_runs(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    assert store.runs() == []
    content = {"stages": {}, "config": {"stages": {}}}
    store.write_lock("job", content)
    store.write_lock("job-seed1", content)
    assert store.runs() == ["job", "job-seed1"]
    assert store.read_lock("job") == content
    with pytest.raises(ArtefactError, match="runs in .*: job, job-seed1"):
        store.read_lock("jobs")
