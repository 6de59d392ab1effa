#!/bin/sh
# Install what the demo and the tests need, each only when it is missing:  setup.sh qgis | engine | qgis-tests
set -eu
cd "$(dirname "$0")/.."
UV=.tools/bin/uv

say() { printf '==> %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_install REASON PACKAGE...: install those packages that dpkg does not know as installed.
apt_install() {
    reason=$1
    shift
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    say "Installing with apt, $reason:$missing"
    # Another apt may hold the lists; for dpkg's own lock apt has an option.
    until as_root apt-get update -qq; do
        tries=$((${tries:-0} + 1))
        [ "$tries" -lt 30 ] || { say "apt-get update failed 30 times."; exit 1; }
        sleep 10
    done
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends $missing >/dev/null
}

# fresh STAMP FILE...: whether STAMP was written for these very files.
fresh() {
    stamp=$1
    shift
    [ -f "$stamp" ] && [ "$(cat "$@" | cksum)" = "$(cat "$stamp")" ]
}

install_qgis() {
    if command -v qgis_process >/dev/null && /usr/bin/python3 -c 'import qgis.core, osgeo.gdal' 2>/dev/null; then
        return 0
    fi
    command -v apt-get >/dev/null || {
        say "QGIS is missing and this system has no apt: install QGIS 3.22 or newer, then run make again."
        exit 1
    }
    apt_install "QGIS" qgis python3-qgis qgis-providers python3-gdal xvfb
}

install_uv() {
    if [ ! -x "$UV" ]; then
        command -v apt-get >/dev/null && apt_install "to make virtual environments" python3-venv ca-certificates
        say "Installing uv into .tools"
        /usr/bin/python3 -m venv .tools
        .tools/bin/python -m pip install --quiet 'uv>=0.9,<1'
    fi
    # Folders of wheels that pip is set to use: uv does not read pip's settings.
    wheels=${PIP_FIND_LINKS:-$(.tools/bin/python -m pip config get global.find-links 2>/dev/null || true)}
    wheels=$(echo $wheels | tr ' ' ',')
}

# Python 3.11 to 3.13, those of torch-cpu.txt, before any other that the locks cover.
choose_python() {
    for wanted in /usr/bin/python3 3.11 3.12 3.13 3.10; do
        found=$("$UV" python find --no-python-downloads "$wanted" 2>/dev/null) || continue
        "$found" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && break
    done
    printf '%s\n' "${found:-3.12}"
}

# Sets torch to one of the two files and to the options that find it.
choose_torch() {
    torch=requirements/torch.txt
    backend=
    if [ "$(uname -s)" = Linux ] && ! [ -e /proc/driver/nvidia/version ]; then
        for try in "" "--torch-backend=cpu"; do
            # shellcheck disable=SC2086
            if run_uv pip install --dry-run --quiet --require-hashes --no-deps $try -r requirements/torch-cpu.txt 2>/dev/null
            then
                torch=requirements/torch-cpu.txt
                backend=$try
                say "torch: the CPU build (about 200 MB)"
                return 0
            fi
        done
        say "torch: no CPU build within reach; PyPI's build with CUDA packages (several GB)"
    fi
}

run_uv() {
    if [ -n "$wheels" ]; then
        UV_FIND_LINKS=$wheels VIRTUAL_ENV=.venv UV_HTTP_TIMEOUT=180 "$UV" "$@"
    else
        VIRTUAL_ENV=.venv UV_HTTP_TIMEOUT=180 "$UV" "$@"
    fi
}

install_engine() {
    locks="requirements/engine.txt requirements/formats.txt requirements/torch-cpu.txt requirements/torch.txt requirements/training.txt requirements/cluster.txt requirements/dev.txt requirements/docs.txt"
    # shellcheck disable=SC2086
    fresh .venv/installed $locks && return 0
    install_uv
    [ -x .venv/bin/python ] || {
        python=$(choose_python)
        say "Making the engine environment .venv with $python"
        "$UV" venv --quiet --python "$python" .venv
    }
    choose_torch
    say "Installing the locked engine, training, test and documentation packages into .venv"
    # shellcheck disable=SC2086
    run_uv pip install --quiet --require-hashes $backend -r requirements/engine.txt -r requirements/formats.txt \
        -r $torch -r requirements/training.txt -r requirements/cluster.txt -r requirements/dev.txt -r requirements/docs.txt
    # shellcheck disable=SC2086
    cat $locks | cksum >.venv/installed
}

# The project itself, as it lies here: for .venv/bin/landcover. Its build needs hatchling, not at run time.
install_project() {
    fresh .venv/project pyproject.toml dubai_landcover_plugin/__init__.py && [ -x .venv/bin/landcover ] && return 0
    install_uv
    say "Installing the project itself into .venv, editable"
    run_uv pip install --quiet --no-deps --editable .
    cat pyproject.toml dubai_landcover_plugin/__init__.py | cksum >.venv/project
}

install_qgis_tests() {
    fresh .venv-qgis/installed requirements/qgis-test.txt && return 0
    install_qgis
    command -v apt-get >/dev/null && apt_install "to make virtual environments" python3-venv
    say "Making the QGIS test environment .venv-qgis with /usr/bin/python3"
    [ -x .venv-qgis/bin/python ] || /usr/bin/python3 -m venv --system-site-packages .venv-qgis
    .venv-qgis/bin/python -m pip install --quiet --require-hashes -r requirements/qgis-test.txt
    cksum <requirements/qgis-test.txt >.venv-qgis/installed
}

for part in "$@"; do
    case $part in
    qgis) install_qgis ;;
    engine) install_engine && install_project ;;
    qgis-tests) install_qgis_tests ;;
    *) say "Unknown part '$part'; known: qgis engine qgis-tests"; exit 2 ;;
    esac
done
