"""Settings of pip and uv: where packages come from is kept, where they go is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dubai_landcover_plugin.runner import package_sources
from dubai_landcover_plugin.runner.environment_tool import Installer
from dubai_landcover_plugin.runner.installer import SetUp
from dubai_landcover_plugin.runner.package_sources import Sources, installer_environment, uv_redirection, without_index

KEPT = {
    "PIP_INDEX_URL": "https://mirror/simple", "PIP_EXTRA_INDEX_URL": "https://a https://b", "PIP_FIND_LINKS": "/w1 /w2",
    "PIP_NO_INDEX": "1", "PIP_TRUSTED_HOST": "mirror", "PIP_PROXY": "http://proxy:3128", "PIP_CERT": "/ca.pem",
    "PIP_CLIENT_CERT": "/me.pem", "PIP_CACHE_DIR": "/cache", "PIP_DEFAULT_TIMEOUT": "60", "PIP_RETRIES": "9",
    "UV_CACHE_DIR": "/uv", "UV_INDEX_MIRROR_PASSWORD": "x", "UV_NATIVE_TLS": "1", "UV_OFFLINE": "1",
    "HTTPS_PROXY": "http://other", "NO_PROXY": "local", "SSL_CERT_FILE": "/system.pem",
}  # fmt: skip
DROPPED = (
    "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_CONSTRAINT",
    "PIP_NO_DEPS", "PIP_ONLY_BINARY", "PIP_NO_BINARY", "PIP_PYTHON", "PIP_PLATFORM", "PIP_IGNORE_INSTALLED",
    "PIP_QUIET",
    "PIP_LOG", "PIP_NO_REQUIRE_HASHES", "PIP_REPORT", "PIP_ISOLATED", "PIP_REQUIREMENT", "PIP_BUILD_CONSTRAINT",
    "UV_TARGET", "UV_PREFIX", "UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE",
    "UV_NO_VERIFY_HASHES", "UV_REQUIRE_HASHES", "UV_EXCLUDE_NEWER", "UV_RESOLUTION", "UV_LINK_MODE", "UV_WORKING_DIR",
    "UV_PROJECT", "UV_VENV_SEED", "UV_TORCH_BACKEND", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "VIRTUAL_ENV",
    "pip_target", "Pip_User", "uv_target",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without configuration files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_where_packages_come_from_is_kept():
    found = installer_environment(KEPT)
    assert {name: found[name] for name in KEPT} == KEPT
    assert found["PIP_CONFIG_FILE"] == os.devnull


@pytest.mark.parametrize("name", DROPPED)
def test_where_packages_go_and_which_are_taken_is_dropped(name: str):
    assert name.upper() not in {key.upper() for key in installer_environment({name: "1"})}


def test_uv_gets_the_settings_of_pip():
    found = installer_environment({name: value for name, value in KEPT.items() if name.startswith("PIP_")})
    assert found["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert (found["UV_EXTRA_INDEX_URL"], found["UV_FIND_LINKS"]) == ("https://a https://b", "/w1,/w2")
    assert (found["UV_INSECURE_HOST"], found["ALL_PROXY"]) == ("mirror", "http://proxy:3128")
    assert (found["SSL_CERT_FILE"], found["SSL_CLIENT_CERT"]) == ("/ca.pem", "/me.pem")
    assert without_index(found)


def test_settings_of_uv_itself_win():
    found = installer_environment(
        {**KEPT, "UV_INDEX_URL": "https://own", "UV_FIND_LINKS": "/own", "UV_HTTP_TIMEOUT": "9"}
    )
    assert "UV_DEFAULT_INDEX" not in found
    assert (found["UV_FIND_LINKS"], found["UV_HTTP_TIMEOUT"], found["SSL_CERT_FILE"]) == ("/own", "9", "/system.pem")


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False), ("no", False)])
def test_uv_gets_an_option_where_no_index_may_be_asked(
    value: str, expected: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_NO_INDEX", value)
    offline = without_index(SetUp().environment(tmp_path / "engine"))
    command = Installer("/bin/uv", "").install(tmp_path, [tmp_path / "engine.txt"], offline)
    assert ("--no-index" in command) == expected
    assert "--no-index" not in Installer("", "/bin/python").install(tmp_path, [])  # pip reads its variable


@pytest.mark.parametrize("place", [".config/pip/pip.conf", ".pip/pip.conf", "other.conf"])
def test_configuration_files_give_sources_only(home: Path, place: str):
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "[global]\nindex-url = https://mirror/simple\nuser = true\ntarget = /elsewhere\ncert=/ca.pem\n"
        "find-links =\n    /w1\n    /w2\n[install]\nprefix = /x\nno-index = true\n[freeze]\ntimeout = 5\n"
    )
    found = installer_environment({"PIP_CONFIG_FILE": str(path)} if place == "other.conf" else {})
    assert found["PIP_INDEX_URL"] == found["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert (found["PIP_FIND_LINKS"], found["PIP_CERT"], found["PIP_NO_INDEX"]) == ("/w1 /w2", "/ca.pem", "true")
    assert not {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_TIMEOUT"} & set(found)
    assert (
        installer_environment({"PIP_CONFIG_FILE": str(path), "PIP_INDEX_URL": "https://v"})["PIP_INDEX_URL"]
        == "https://v"
    )
    if place != "other.conf":
        assert "PIP_INDEX_URL" not in installer_environment({"PIP_CONFIG_FILE": os.devnull})


@pytest.mark.parametrize("content", [b"no section = 1", b"[global\n", b"\xff\xfe[global]", b"[global]\nindex-url\n"])
def test_damaged_configuration_files_are_passed_over(home: Path, content: bytes):
    (home / ".pip").mkdir()
    (home / ".pip" / "pip.conf").write_bytes(content)
    assert "PIP_INDEX_URL" not in installer_environment({})


def test_places_of_configuration_files_on_other_systems(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(package_sources.sys, "platform", "win32")
    given = {"APPDATA": "/roaming", "PROGRAMDATA": "/all"}
    assert Path("/roaming/pip/pip.ini") in package_sources._config_files(given)
    assert Path("/all/pip/pip.ini") in package_sources._config_files(given)
    monkeypatch.setattr(package_sources.sys, "platform", "darwin")
    assert any("Application Support" in str(path) for path in package_sources._config_files({}))


@pytest.mark.parametrize("place", [".config/uv/uv.toml", "other.toml"])
def test_a_configuration_of_uv_that_puts_packages_elsewhere_is_named(home: Path, place: str):
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"UV_CONFIG_FILE": str(path)} if place == "other.toml" else {}
    path.write_text('[pip]\nindex-url = "https://mirror"\nno-index = false\n')
    assert uv_redirection(given) == ""
    path.write_text('[pip]\n  target = "/elsewhere"\n')
    assert uv_redirection(given) == f"'target' in {path}"


@pytest.mark.parametrize(
    ("variables", "index"),
    [
        ({}, "https://mirror.test/simple"),
        ({"PIP_INDEX_URL": "https://own.test/simple"}, "https://own.test/simple"),
        ({"UV_DEFAULT_INDEX": "https://own.test/simple"}, "https://own.test/simple"),
    ],
)
def test_variables_win_over_the_sources_of_an_administrator(home: Path, variables: dict[str, str], index: str):
    sources = Sources("https://mirror.test/simple", "https://mirror.test/pythons")
    found = installer_environment({"PATH": "/bin", **variables}, sources)
    assert found["UV_DEFAULT_INDEX"] == index
    assert found["UV_PYTHON_INSTALL_MIRROR"] == "https://mirror.test/pythons"
    own = installer_environment({"UV_PYTHON_INSTALL_MIRROR": "https://own.test"}, sources)
    assert own["UV_PYTHON_INSTALL_MIRROR"] == "https://own.test"


def test_sources_of_an_administrator_win_over_configuration_files(home: Path):
    path = home / ".config" / "pip" / "pip.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[global]\nindex-url = https://file.test/simple\n")
    environment = {"HOME": str(home)}
    assert installer_environment(environment)["PIP_INDEX_URL"] == "https://file.test/simple"
    assert installer_environment(environment, Sources("https://m.test"))["PIP_INDEX_URL"] == "https://m.test"
