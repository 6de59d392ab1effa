#!/bin/sh
# Write the hash-locked files in requirements/ from the *.in files. Run by hand (`make lock`) to raise versions.
set -eu
cd "$(dirname "$0")/../requirements"
UV=$(command -v ../.tools/bin/uv || command -v uv)
compile() {
    "$UV" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-annotate --no-header \
        --custom-compile-command "make lock" "$@"
}
# Without the CUDA packages, and without torch itself: the environment takes torch from one of two other files.
compile engine.in --excludes cuda-packages.txt --no-emit-package torch --output-file engine.txt
# torch as PyPI has it. On Linux that build needs the CUDA packages.
omit=$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' engine.txt | sort -u)
# shellcheck disable=SC2086
compile engine.in --constraints engine.txt $omit --output-file torch.txt
compile training.in --excludes cuda-packages.txt --constraints engine.txt --no-emit-package torch $omit --output-file training.txt
omit="$omit $(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' training.txt | sort -u)"
# shellcheck disable=SC2086
compile cluster.in --constraints engine.txt $omit --output-file cluster.txt
omit="$omit $(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' cluster.txt | sort -u)"
# shellcheck disable=SC2086
compile dev.in $omit --output-file dev.txt
# Packages that the others pin for every platform; the rest is pinned here too.
omit=$(cat engine.txt training.txt cluster.txt dev.txt | sed -n 's/^\([A-Za-z0-9._-]*\)==[^ ]* \\$/--no-emit-package \1/p' | sort -u)
# shellcheck disable=SC2086
compile docs.in $omit --output-file docs.txt
compile uv.in --output-file uv.txt
compile qgis-test.in --no-emit-package numpy --output-file qgis-test.txt
for file in engine torch training cluster dev docs uv qgis-test; do
    source=$file.in; [ "$file" = torch ] && source=engine.in
    printf "# Written by make lock from %s; do not edit.\n" "$source" | cat - "$file.txt" >"$file.tmp"
    mv "$file.tmp" "$file.txt"
done
