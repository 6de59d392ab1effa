#!/bin/sh
# Pictures of every dialog in desktop QGIS, to look at:  screenshots.sh FOLDER [light] [dark] [arabic] [double]
set -eu
cd "$(dirname "$0")/.."
folder=$1
shift
if [ -z "${DISPLAY:-}" ]; then
    exec xvfb-run -a -s "-screen 0 2400x1800x24" "$0" "$folder" "$@"
fi
for look in ${*:-light dark arabic double}; do
    mkdir -p "$folder/$look"
    profile=$(mktemp -d)
    settings=$profile/profiles/default/QGIS
    mkdir -p "$settings"
    cat >"$settings/QGIS3.ini" <<INI
[PythonPlugins]
dubai_landcover_plugin=true
processing=true

[qgis]
checkVersion=false
showTips=false
INI
    theme=default
    scale=1
    case $look in
        dark) theme="Night Mapping" ;;
        double) scale=2 ;;
        arabic) printf '[locale]\noverrideFlag=true\nuserLocale=ar\nglobalLocale=ar\n' >>"$settings/QGIS3.ini" ;;
    esac
    echo "==> $folder/$look"
    env -u PYTHONPATH QGIS_PLUGINPATH="$PWD/build" QT_SCALE_FACTOR=$scale \
        DUBAI_LANDCOVER_PYTHON="${DUBAI_LANDCOVER_PYTHON:-$PWD/.venv/bin/python}" \
        SCREENSHOTS_FOLDER="$folder/$look" SCREENSHOTS_THEME="$theme" \
        SCREENSHOTS_STEPS="${SCREENSHOTS_STEPS:-}" timeout 900 \
        qgis --nologo --noversioncheck --profiles-path "$profile" --code .ci/screenshots.py \
        >"$folder/$look.log" 2>&1 || true
    rm -rf "$profile"
    if command -v chromium >/dev/null; then
        for page in "$folder/$look"/*.html; do
            [ -e "$page" ] || continue
            chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,3200 \
                --force-device-scale-factor="$scale" --user-data-dir="$profile" --screenshot="${page%.html}.png" \
                "file://$(realpath "$page")" >/dev/null 2>&1 || true
            rm -rf "$profile"
        done
    fi
    ls "$folder/$look" | wc -l
done
