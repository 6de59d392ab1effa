#!/bin/sh
# Write the hash-locked files in requirements/ from the *.in files. Run by hand (`make lock`) to raise versions.
set -eu
cd "$(dirname "$0")/../requirements"
UV=$(command -v ../.tools/bin/uv || command -v uv)
compile() {
    "$UV" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
        --custom-compile-command "make lock" "$@"
}
# Options that leave out the packages of a file.
without() { sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' "$1" | sort -u; }
compile engine.in --output-file engine.txt
omit=$(without engine.txt)
# shellcheck disable=SC2086
compile formats.in $omit --output-file formats.txt
# ONNX Runtime needs SymPy with Python 3.10 only, PyTorch with all.
omit="$omit $(without formats.txt | grep -v -e sympy -e mpmath)"
# Without the CUDA packages, and without torch itself: the environment takes torch from one of two other files.
# shellcheck disable=SC2086
compile training.in --excludes cuda-packages.txt --no-emit-package torch $omit --output-file training.txt
omit="$omit $(without training.txt)"
# torch as PyPI has it. On Linux that build needs the CUDA packages.
# shellcheck disable=SC2086
compile torch.in $omit --output-file torch.txt
# shellcheck disable=SC2086
compile cluster.in $omit --output-file cluster.txt
omit="$omit $(without cluster.txt)"
# shellcheck disable=SC2086
compile dev.in $omit --output-file dev.txt
# Packages that the others pin for every platform; the rest is pinned here too.
omit=$(cat engine.txt formats.txt training.txt cluster.txt dev.txt | sed -n 's/^\([A-Za-z0-9._-]*\)==[^ ]* \\$/--no-emit-package \1/p' | sort -u)
# shellcheck disable=SC2086
compile docs.in $omit --output-file docs.txt
compile uv.in --output-file uv.txt
compile qgis-test.in --no-emit-package numpy --output-file qgis-test.txt
for file in engine formats torch training cluster dev docs uv qgis-test; do
    printf "# Written by make lock from %s.in; do not edit.\n" "$file" | cat - "$file.txt" >"$file.tmp"
    mv "$file.tmp" "$file.txt"
done
