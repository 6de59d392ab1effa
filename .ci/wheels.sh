#!/bin/sh
# Write a folder from which "Set up from a folder…" makes the engine without a network, for this system and one Python:
#   wheels.sh FOLDER PYTHON [TORCH]      PYTHON such as 3.12; TORCH: a requirement file with PyTorch
set -eu
cd "$(dirname "$0")/.."
folder=$1 python=$2 torch=${3:-}
mkdir -p "$folder"
download() {
    .tools/bin/python -m pip download --quiet --require-hashes --no-deps --only-binary :all: --python-version "$python" \
        --dest "$folder" "$@"
}
download -r requirements/engine.txt
download -r requirements/uv.txt
if [ -n "$torch" ]; then
    download -r requirements/training.txt
    download -r "$torch"
fi
(cd "$folder" && rm -f SHA256SUMS && sha256sum ./*.whl >SHA256SUMS)
echo "==> $folder: $(ls "$folder" | grep -c 'whl$') wheels for Python $python, $(du -sm "$folder" | cut -f1) MB"
