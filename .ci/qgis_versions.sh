#!/bin/sh
# Run the QGIS tests with other versions of QGIS, each in a Debian or Ubuntu of its own, with the engine in .venv:
#   qgis_versions.sh FOLDER VERSION...      such as: qgis_versions.sh build/qgis-versions 3.34 3.40 3.44
# Needs root and debootstrap; FOLDER gets about 2.5 GB for each version, and a table of the results. PYTEST may hold
# further arguments for pytest. What is mounted is gone when the script ends, in whatever way.
set -eu
cd "$(dirname "$0")/.."
[ -n "${IN_OWN_NAMESPACE:-}" ] || exec env IN_OWN_NAMESPACE=1 unshare --mount --propagation private "$0" "$@"
folder=$1
shift
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
project=$(pwd)

say() { printf '==> %s\n' "$*"; }

# Sets suite, archive, keyring and the suite that has QGIS.
choose_suite() {
    components=main
    archive=http://deb.debian.org/debian
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    extra=
    steps=sid # of debootstrap, whose own list may be older than the suite
    case $1 in
    3.22) suite=jammy ;;
    3.34) suite=noble ;;
    3.40) suite=trixie ;;
    3.44) suite=trixie extra=trixie-backports ;;
    *) say "Unknown version '$1'; known: 3.22 3.34 3.40 3.44"; exit 2 ;;
    esac
    case $suite in
    jammy | noble)
        components=main,universe
        archive=http://archive.ubuntu.com/ubuntu
        keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg # package ubuntu-keyring
        steps=gutsy
        ;;
    esac
}

# make_system ROOT: a system with QGIS and the packages of the tests, unless it is there.
make_system() {
    root=$1
    if [ ! -f "$root/made" ]; then
        rm -rf "$root"
        say "$suite: base system"
        debootstrap --variant=minbase --keyring="$keyring" --components="$components" "$suite" "$root" \
            "$archive" "/usr/share/debootstrap/scripts/$steps" >"$root.log"
    fi
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mkdir -p "$root/host" "$root$project" "$root/etc/ssl/certs"
    # Paths of the project and of temporary files are the same in both systems: the engine runs in the outer one.
    mount --rbind / "$root/host"
    mount --bind /tmp "$root/tmp"
    mount --bind "$project" "$root$project"
    if [ -d "$project/../shared" ]; then # data of tests that are marked so
        mkdir -p "$root$(dirname "$project")/shared"
        mount --bind "$project/../shared" "$root$(dirname "$project")/shared"
    fi
    cat >"$root/usr/local/bin/engine-python" <<END
#!/bin/sh
exec chroot /host sh -c 'cd "\$0" && exec $project/.venv/bin/python "\$@"' "\$PWD" "\$@"
END
    chmod 755 "$root/usr/local/bin/engine-python"
    [ -f "$root/made" ] && return 0
    say "$suite: QGIS ($root.log)"
    if [ -n "$extra" ]; then
        echo "deb $archive $extra ${components%%,*}" >"$root/etc/apt/sources.list.d/extra.list"
    fi
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    {
        inside apt-get update -qq
        inside env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            ${extra:+-t "$extra"} qgis python3-qgis qgis-providers python3-gdal python3-venv xvfb
        cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
        inside python3 -m venv --system-site-packages /tests
        inside /tests/bin/python -m pip install --quiet --require-hashes -r "$project/requirements/qgis-test.txt"
    } >>"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
    touch "$root/made"
}

inside() { chroot "$root" "$@"; }

# run_tests VERSION: the tests, with the package that `make package` has assembled; adds a row to the table.
run_tests() {
    say "QGIS $1: tests ($folder/$1.txt)"
    # shellcheck disable=SC2086
    inside env -u PYTHONPATH HOME=/root QT_QPA_PLATFORM=offscreen DUBAI_LANDCOVER_PYTHON=/usr/local/bin/engine-python \
        sh -c "cd '$project' && exec /tests/bin/python -m pytest -q -p no:cacheprovider ${PYTEST:-}" >"$folder/$1.txt" 2>&1 || true
    versions=$(inside python3 -c 'import platform, qgis.core as q, qgis.PyQt.QtCore as c; from osgeo import gdal
print(q.Qgis.QGIS_VERSION.split("-")[0], c.QT_VERSION_STR, platform.python_version(), gdal.__version__, sep=" | ")' 2>/dev/null)
    echo "| $versions | ${extra:-$suite} | $(tail -n 1 "$folder/$1.txt" | tr -d =) |" | tee -a "$folder/results.md"
}

printf '| QGIS | Qt | Python | GDAL | system | tests |\n|---|---|---|---|---|---|\n' >"$folder/results.md"
for version in "$@"; do
    choose_suite "$version"
    make_system "$folder/${extra:-$suite}"
    run_tests "$version"
done
say "$folder/results.md"
