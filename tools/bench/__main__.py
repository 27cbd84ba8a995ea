"""`python -m tools.bench NAME [--options]` runs one benchmark, `python -m tools.bench` all of them."""

import sys

from tools.bench.harness import PARTS, run, run_all

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in PARTS:
        run(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(run_all(sys.argv[1:]))
