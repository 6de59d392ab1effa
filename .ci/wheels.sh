#!/bin/sh
# Write a folder from which "Set up from a folder…" makes the engine without a network, for this system and one Python:
#   wheels.sh FOLDER PYTHON [FILE...]      PYTHON such as 3.12; FILE: requirement files beyond the standard engine
# It also has a Python that runs from any folder: PYTHON_ARCHIVE, an "install_only" archive of python-build-standalone, or
# the one that uv would fetch, if it is within reach.
set -eu
cd "$(dirname "$0")/.."
folder=$1 python=$2
shift 2
mkdir -p "$folder"
download() {
    .tools/bin/python -m pip download --quiet --require-hashes --no-deps --only-binary :all: --python-version "$python" \
        --dest "$folder" -r "$1"
}
for file in requirements/engine.txt requirements/uv.txt "$@"; do
    download "$file"
done
rm -f "$folder"/cpython-*.tar.gz
if [ -n "${PYTHON_ARCHIVE:-}" ]; then
    cp "$PYTHON_ARCHIVE" "$folder/"
else
    address=$(.tools/bin/uv python list --only-downloads --show-urls "cpython-$python" | awk 'NR == 1 { print $2 }')
    name=$(basename "$address" | sed 's/%2B/+/')
    curl --fail --silent --show-error --location --output "$folder/$name" "$address" || rm -f "$folder/$name"
fi
ls "$folder"/cpython-*.tar.gz >/dev/null 2>&1 || {
    echo "==> No Python: the computers need Python $python of their own, or give PYTHON_ARCHIVE=cpython-….tar.gz"
}
(cd "$folder" && rm -f SHA256SUMS && find . -name '*.whl' -o -name 'cpython-*.tar.gz' | sort | xargs sha256sum >SHA256SUMS)
echo "==> $folder: $(ls "$folder" | grep -c 'whl$') wheels for Python $python, $(du -sm "$folder" | cut -f1) MB"
