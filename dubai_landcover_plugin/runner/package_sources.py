"""Environment variables of pip and uv when they install the engine.

Users set on purpose where packages come from: mirrors, proxies, certificates, wheel folders, caches. These settings are
kept, also from pip's configuration files, and handed on from pip to uv. All others, such as ``PIP_TARGET``,
``user = true`` or ``UV_SYSTEM_PYTHON``, are made for other installations; they would put the packages elsewhere or
change which are installed, and are dropped.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dubai_landcover_plugin.runner.environment import engine_environment

_PIP = frozenset(
    {
        "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "TRUSTED_HOST", "PROXY", "CERT", "CLIENT_CERT",
        "TIMEOUT", "DEFAULT_TIMEOUT", "RETRIES", "CACHE_DIR", "NO_CACHE_DIR", "KEYRING_PROVIDER", "USE_FEATURE",
        "USE_DEPRECATED",
    }
)  # fmt: skip
_UV = frozenset(
    {
        "DEFAULT_INDEX", "INDEX", "INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "NO_INDEX", "INDEX_STRATEGY",
        "INSECURE_HOST", "NATIVE_TLS", "SYSTEM_CERTS", "KEYRING_PROVIDER", "OFFLINE", "HTTP_TIMEOUT",
        "HTTP_CONNECT_TIMEOUT", "HTTP_RETRIES", "REQUEST_TIMEOUT", "CACHE_DIR", "NO_CACHE", "CONCURRENT_DOWNLOADS",
        "PYTHON_INSTALL_DIR", "PYTHON_INSTALL_MIRROR", "PYTHON_DOWNLOADS", "PYTHON_DOWNLOADS_JSON_URL",
        "PYTHON_PREFERENCE", "PYTHON_CACHE_DIR", "CONFIG_FILE",
    }
)  # fmt: skip
_FROM_PIP = {
    "PIP_EXTRA_INDEX_URL": ("UV_EXTRA_INDEX_URL", " "),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS", ","),
    "PIP_TRUSTED_HOST": ("UV_INSECURE_HOST", " "),
    "PIP_PROXY": ("ALL_PROXY", " "),
    "PIP_CERT": ("SSL_CERT_FILE", ""),
    "PIP_CLIENT_CERT": ("SSL_CLIENT_CERT", ""),
    "PIP_NO_INDEX": ("UV_NO_INDEX", ""),
}
"""Variables of pip with the variable for uv, and what separates its values; a path is not split."""
_UV_INDEX = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")
_REDIRECTION = re.compile(r"^\s*(?:pip\.)?(target|prefix|system|dry-run)\s*=", re.MULTILINE)
_TRUE = ("1", "true", "yes", "on", "t", "y")


@dataclass(frozen=True)
class Sources:
    """Where packages and Pythons come from, unless environment variables say otherwise; empty for the usual places.

    Args:
        index: Address of a package index.
        pythons: Address of a mirror of the Pythons that uv fetches.
    """

    index: str = ""
    pythons: str = ""

    def added_to(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return environment variables with these sources where they name none."""
        found = dict(environment)
        names = {name.upper() for name, value in environment.items() if value.strip()}
        if self.index and not names & {"PIP_INDEX_URL", *_UV_INDEX}:
            found["PIP_INDEX_URL"] = self.index
        if self.pythons and "UV_PYTHON_INSTALL_MIRROR" not in names:
            found["UV_PYTHON_INSTALL_MIRROR"] = self.pythons
        return found


def installer_environment(
    environment: Mapping[str, str] | None = None, sources: Sources | None = None
) -> dict[str, str]:
    """Return the environment variables of pip and uv.

    Args:
        environment: Defaults to the environment of this process.
        sources: What counts before the configuration files of pip; None for nothing.
    """
    source = (sources or Sources()).added_to(os.environ if environment is None else environment)
    kept = engine_environment(source)
    kept.update({name.upper(): value for name, value in source.items() if _is_kept(name.upper()) and value.strip()})
    for name, value in _configured(source).items():
        kept.setdefault(name, value)
    kept["PIP_CONFIG_FILE"] = os.devnull  # its settings of sources were read above
    for name, (target, separator) in _FROM_PIP.items():
        if name in kept:
            kept.setdefault(target, separator.join(kept[name].split()) if separator else kept[name])
    if "PIP_INDEX_URL" in kept and not any(name in kept for name in _UV_INDEX):
        kept["UV_DEFAULT_INDEX"] = kept["PIP_INDEX_URL"]
    if "UV_EXTRA_INDEX_URL" in kept:  # pip takes the version that is wanted from any index; the locks have hashes
        kept.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return {**kept, "UV_HTTP_TIMEOUT": kept.get("UV_HTTP_TIMEOUT", "180")}


def without_index(environment: Mapping[str, str]) -> bool:
    """Return whether packages may come from wheel folders only; uv has an option for it, and no variable."""
    return environment.get("UV_NO_INDEX", "").strip().lower() in _TRUE


def uv_redirection(environment: Mapping[str, str]) -> str:
    """Return the setting in a configuration file of uv that puts packages elsewhere, with its file; empty without one.

    uv has no option that overrules it.
    """
    home = Path(os.path.expanduser("~"))
    folders = [
        environment.get("XDG_CONFIG_HOME") or home / ".config",
        *(environment.get("XDG_CONFIG_DIRS") or "/etc").split(os.pathsep),
    ]
    if sys.platform == "win32":
        folders = [environment.get("APPDATA", home), environment.get("PROGRAMDATA", r"C:\ProgramData")]
    files = [Path(folder) / "uv" / "uv.toml" for folder in folders]
    if environment.get("UV_CONFIG_FILE"):
        files = [Path(environment["UV_CONFIG_FILE"])]
    for path in files:
        with suppress(OSError):
            found = _REDIRECTION.search(path.read_text(encoding="utf-8", errors="replace"))
            if found:
                return f"'{found[1]}' in {path}"
    return ""


def _is_kept(name: str) -> bool:
    prefix, _, rest = name.partition("_")
    credentials = rest.startswith("INDEX_") and rest.endswith(("_USERNAME", "_PASSWORD"))
    return (prefix == "PIP" and rest in _PIP) or (prefix == "UV" and (rest in _UV or credentials))


def _configured(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of sources in pip's configuration files, by the name of their variable; later files win."""
    found: dict[str, str] = {}
    for path in _config_files(environment):
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError):
            continue  # pip would refuse the file; here it only lacks mirrors
        for section in ("global", "install"):
            for key, value in parser.items(section) if parser.has_section(section) else ():
                name = f"PIP_{key.upper().replace('-', '_')}"
                if _is_kept(name) and value.strip():
                    found[name] = " ".join(value.split())
    return found


def _config_files(environment: Mapping[str, str]) -> list[Path]:
    """Return the places of pip's configuration files, in pip's order: of the system, of the user, of the variable.

    Source: https://pip.pypa.io/en/stable/topics/configuration/#location.
    """
    given = environment.get("PIP_CONFIG_FILE", "")
    if given == os.devnull:
        return []
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        places = [Path(environment.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / "pip.ini", home / "pip" / "pip.ini"]
        places.append(Path(environment.get("APPDATA", str(home))) / "pip" / "pip.ini")
    else:
        folders = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        places = [Path(folder) / "pip" / "pip.conf" for folder in folders.split(os.pathsep)]
        places += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf"]
        if sys.platform == "darwin":
            places.append(home / "Library" / "Application Support" / "pip" / "pip.conf")
        places.append(Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf")
    return [*places, *([Path(given)] if given else [])]
