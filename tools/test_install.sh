#!/usr/bin/env bash
# Installs segda's wheel in environments of its own, outside the checkout, and plans every shipped pipeline there:
#   tools/test_install.sh [pinned] [newest] [oldest]
# pinned: with constraints.txt; newest: without; oldest: each requirement at its lower bound (Python 3.10 to 3.12). All
# three by default, one after the other: each takes up to 6 GB below TMPDIR until it is done. When all three are well,
# tools/test_install.sha256 says with which files, so that .ci/run repeats it only where one of them has changed.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/segda-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/tools"
"$work/tools/bin/pip" install --quiet uv
# From a copy: what earlier builds left in the checkout does not get into the wheel.
mkdir -p "$work/source/docs" "$work/empty"
cp -r "$checkout"/{segda,pipelines,configs,segda_command.py,setup.cfg,pyproject.toml,LICENSE} "$work/source"
cp "$checkout/docs/package_index.md" "$work/source/docs"
"$work/tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$work" "$work/source"
# Nothing is taken as checked before, nor from the checkout.
export XDG_CACHE_HOME=$work/cache
unset PYTHONPATH
cd "$work/empty"
[ $# -gt 0 ] && all=false || { all=true; set -- pinned newest oldest; }
for each in "$@"; do
    SECONDS=0
    "${PYTHON:-python3}" -m venv "$work/$each"
    case $each in
        pinned) "$work/$each/bin/pip" install --quiet --constraint "$checkout/constraints.txt" "$work"/segda-*.whl ;;
        newest) "$work/$each/bin/pip" install --quiet "$work"/segda-*.whl ;;
        oldest) # the wheel's own requirements would not count as direct ones
            uv() { "$work/tools/bin/uv" pip install --quiet --python "$work/oldest/bin/python" --cache-dir "$work/uv" "$@"; }
            uv --resolution lowest-direct --requirements "$work/source/setup.cfg"
            uv --no-deps "$work"/segda-*.whl ;;
        *) echo "unknown: $each; expected pinned, newest or oldest" >&2; exit 2 ;;
    esac
    installed=$SECONDS
    "$work/$each/bin/segda" streets --plan >"$work/streets"
    "$work/$each/bin/python" "$checkout/tools/plan_every_pipeline.py" >"$work/plans" || { cat "$work/plans"; exit 1; }
    torch=$("$work/$each/bin/python" -c 'from importlib.metadata import version as v; print(v("torch"), v("torchvision"))')
    echo "$each: $(tail -n 1 "$work/plans"), torch and torchvision $torch, installed in $installed s, all in $SECONDS s"
    rm -rf "${work:?}/$each" "$work/uv"
done
if $all; then
    cd "$checkout"
    sha256sum setup.cfg pyproject.toml constraints.txt segda_command.py tools/test_install.sh tools/plan_every_pipeline.py \
        $(grep -rl --include="*.py" import_ready segda | sort) >"$work/sums"
    mv "$work/sums" tools/test_install.sha256
fi
