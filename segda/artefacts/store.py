"""The folder of runs: where a stage's result lies, whether it is done, and how a new one begins."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segda.artefacts import checked_json
from segda.artefacts import manifest as manifests
from segda.artefacts.lock import FolderLock
from segda.artefacts.manifest import read_json, write_json
from segda.config.lookup import nearest_of
from segda.errors import ArtefactError, SegdaError
from segda.files import is_plain, leading_out

State = Literal["done", "resume", "run"]
STAGE_FILE = "stage.json"
LOCK_ENDING = ".lock.json"
CLAIM_ENDING = ".claim"


@dataclass(frozen=True)
class StageResult:
    """The result for one key: its folder, its state, and why."""

    folder: Path
    state: State
    reason: str


@dataclass(frozen=True)
class Store:
    """The runs below `root`, one folder `<kind>-<first 8 of key>` a result, none of which is ever deleted.

    Checkpoints of finished ones are, by `segda clean`.
    """

    root: Path

    def folder(self, kind: str, key: str) -> Path:
        """Where the result of `key` lies or would lie."""
        return self.root / f"{kind}-{key[:8]}"

    def find(self, kind: str, key: str) -> StageResult:
        """The state of the result of `key`.

        Raises:
            ArtefactError: the folder belongs to another key with the same first 8 digits, or is not a run folder.
        """
        folder = self.folder(kind, key)
        if (folder / manifests.FILE_NAME).is_file():
            manifest = manifests.load(folder)
            self._check_key(folder, manifest.key, key)
            problem = manifests.first_difference(folder, manifest)
            if problem is None:
                return StageResult(folder, "done", f"finished with key {key[:8]}")
            return StageResult(folder, "run", f"damaged: {problem}")
        if (folder / STAGE_FILE).is_file():
            self._check_key(folder, str(read_json(folder / STAGE_FILE).get("key")), key)
            return StageResult(folder, "resume", "begun, not finished")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ArtefactError(f"{folder}: exists but is no run folder (no {STAGE_FILE}); move it away")
        return StageResult(folder, "run", f"no result for key {key[:8]}")

    def begin(self, kind: str, key: str, description: Mapping[str, Any]) -> Path:
        """The folder to work in: the unfinished one if there is one, else a new one that names its key.

        `description` is what `stage.json` says besides, such as the stage's name and config.

        Raises:
            ArtefactError: the result is finished already, or the folder cannot be made.
        """
        result = self.find(kind, key)
        folder = result.folder
        if result.state == "done":
            raise ArtefactError(f"{folder}: finished already; use it, or replace it with --force")
        if result.state == "resume":
            self._check_links(folder)
            return folder
        self.replace(kind, key)
        # A folder appears with its key in it or not at all: it is made under another name, then renamed.
        temporary = self.root / f".{folder.name}.{os.getpid()}.tmp"
        for stale in self.root.glob(f".{folder.name}.*.tmp"):  # by a process that died here
            shutil.rmtree(stale, ignore_errors=True)
        try:
            temporary.mkdir(parents=True)
            write_json(temporary / STAGE_FILE, {"schema": manifests.SCHEMA, "kind": kind, "key": key, **description})
            os.rename(temporary, folder)
        except OSError as error:
            raise ArtefactError(f"{folder}: cannot be made ({error.strerror}); choose another --runs") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return folder

    def replace(self, kind: str, key: str) -> Path | None:
        """Move the folder of `key`, if there is one, aside to `<folder>.replaced-N`, and say where to.

        The caller of this or `begin` holds the claim on the folder.

        Raises:
            ArtefactError: the folder belongs to another key, or cannot be moved.
        """
        folder = self.folder(kind, key)
        if not folder.exists():
            return None
        self.find(kind, key)
        self._check_links(folder)
        number = 1
        while (aside := folder.with_name(f"{folder.name}.replaced-{number}")).exists():
            number += 1
        try:
            os.rename(folder, aside)
        except OSError as error:
            raise ArtefactError(f"{folder}: cannot be moved aside ({error.strerror}); choose another --runs") from error
        return aside

    def claim(self, folder: Path, wait: bool = False) -> FolderLock:
        """The claim on a stage's folder, which need not exist yet; to be taken by `with`, or by `take`."""
        return FolderLock(folder.with_name(f".{folder.name}{CLAIM_ENDING}"), folder, wait)

    def clear_claim(self, folder: Path) -> None:
        """Remove what is left of a claim on a finished folder whose holder died before it released it."""
        claim = self.claim(folder)
        if claim.path.exists():
            with suppress(SegdaError), claim:  # a living holder is not disturbed
                pass

    def claim_run(self, run: str, wait: bool = False) -> FolderLock:
        """The claim on a run's name: two runs of one name would write each other's lock file."""
        return FolderLock(self.root / f".{run}{LOCK_ENDING}{CLAIM_ENDING}", self.lock_path(run), wait)

    def lock_path(self, run: str) -> Path:
        """The file that says which folder holds which stage of the run."""
        return self.root / f"{run}{LOCK_ENDING}"

    def write_lock(self, run: str, content: Mapping[str, Any]) -> None:
        """Write the run's lock file, atomically.

        Raises:
            ArtefactError: the folder of runs cannot be made or written.
        """
        write_json(self.lock_path(run), checked_json.with_checksum(content))

    def read_lock(self, run: str) -> dict[str, Any]:
        """The content of a run's lock file.

        Raises:
            ArtefactError: there is no such run here, or its lock file names what is no folder of this store.
        """
        path = self.lock_path(run)
        if not path.is_file():
            near = nearest_of(run, self.runs())
            meant = "" if near is None else f"did you mean {near!r}? "
            where = run if os.sep in run else path
            raise ArtefactError(f"{where}: no such run; {meant}runs in {self.root}: {', '.join(self.runs()) or 'none'}")
        content = checked_json.verified(path, read_json(path), checked_json.LOCK, f"write it again: segda run {run}")
        for stage, entry in content["stages"].items():
            name = entry["folder"]
            if name is not None and not is_plain(name):
                raise ArtefactError(
                    f"{path}: stages.{stage}.folder: {name!r} is no folder in {self.root}; move the file away and run "
                    "again"
                )
        return content

    def locate(self, run: str) -> tuple["Store", str]:
        """The store and the name of a run that is given by its name, or by the path of its lock file."""
        path = Path(run)
        if run.endswith(LOCK_ENDING) and path.is_file():
            return Store(path.parent), path.name.removesuffix(LOCK_ENDING)
        return self, run

    def runs(self) -> list[str]:
        """The names of the runs that have a lock file here, sorted."""
        return sorted(path.name.removesuffix(LOCK_ENDING) for path in self.root.glob(f"*{LOCK_ENDING}"))

    def folders(self, kind: str = "*") -> list[Path]:
        """The folders here in which a stage of a kind began or ended, sorted, without those that were replaced."""
        return sorted(path for path in self.root.glob(f"{kind}-????????") if (path / STAGE_FILE).is_file())

    def replaced(self) -> list[Path]:
        """The folders here that a new result of the same key has replaced, sorted."""
        return sorted(path for path in self.root.glob("*-????????.replaced-*") if path.is_dir())

    @staticmethod
    def _check_links(folder: Path) -> None:
        """Refuse to work in a folder from which a link leads elsewhere."""
        linked = leading_out(folder, sorted(entry.name for entry in folder.iterdir())) if folder.is_dir() else None
        if linked is not None:
            raise ArtefactError(
                f"{folder / linked}: leads out of {folder} by a link, and a run writes there; remove the link, or move "
                "the folder away"
            )

    @staticmethod
    def _check_key(folder: Path, actual: str, expected: str) -> None:
        if actual != expected:
            raise ArtefactError(
                f"{folder}: holds the result of another key ({actual[:16]}, not {expected[:16]}) that begins alike; "
                "move it away or choose another --runs"
            )
