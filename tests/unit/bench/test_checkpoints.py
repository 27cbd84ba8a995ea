"""The benchmark of checkpoints: both sides leave the same files, and what is told is what was measured."""

from pathlib import Path

from segda.engine.beside import Beside
from segda.engine.session import Session
from tests.equivalence import setting
from tests.unit.engine.test_fit import training
from tools.bench import checkpoints as bench


def test_both_sides_leave_the_same_files_byte_for_byte(tmp_path: Path) -> None:
    trained, session = training("i2i"), Session(cpu=True)
    assert bench.step(trained, setting.batch(2), session) > 0
    files = []
    for name in ("beside", "waiting"):
        with Beside() as beside:
            bench.save(trained, tmp_path / name, 3, session, beside if name == "beside" else None)
        (place,) = (tmp_path / name).iterdir()
        files.append({path.name: path.read_bytes() for path in place.iterdir()})
    assert files[0] == files[1]
    assert files[0].keys() == {"tensors.safetensors", "state.json"}
