"""`python -m tools.bench NAME` prints one benchmark, `python -m tools.bench` runs all, into docs/benchmarks.md."""

import sys

from tools.bench.harness import NAMES, ROOT, run, run_all

if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(run_all(ROOT / "docs" / "benchmarks.md"))
    if sys.argv[1:] not in [[name] for name in NAMES]:
        sys.exit(f"python -m tools.bench [NAME], one of {', '.join(NAMES)}")
    run(sys.argv[1])
