#!/bin/sh
# Write a folder from which "Set up from a folder…" makes the engine without a network, for this system and one Python:
#   wheels.sh FOLDER PYTHON [FILE...]      PYTHON such as 3.12; FILE: requirement files beyond the standard engine
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
(cd "$folder" && rm -f SHA256SUMS && sha256sum ./*.whl >SHA256SUMS)
echo "==> $folder: $(ls "$folder" | grep -c 'whl$') wheels for Python $python, $(du -sm "$folder" | cut -f1) MB"
