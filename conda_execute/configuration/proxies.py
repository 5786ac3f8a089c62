"""Proxies and certificates: what the settings and the environment say of them, to the engine and for scripts from the
web alike."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SettingsError
from .declared import Settings


def proxy(
    settings: Settings, environ: Mapping[str, str], scheme: str, host: str | None = None
) -> tuple[str | None, str | None]:
    """The proxy for a scheme, or for one host: what the settings say, most particular first, else the environment.

    And the key of `proxy_servers` that says it. None for a proxy: it is asked directly.
    """
    configured = dict(settings.proxy_servers)
    of_host = (f"{scheme}://{host}", scheme, f"all://{host}", "all")
    key = next((name for name in of_host if name in configured), None)
    url = configured[key] if key else variable(environ, f"{scheme}_proxy") or variable(environ, "all_proxy")
    return (url if not url or "://" in url else f"http://{url}"), key


def variable(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name) or environ.get(name.upper()) or None


def certificates(settings: Settings, environ: Mapping[str, str]) -> bool | str:
    """What servers are verified with: True for the usual certificates, False for none, "truststore" for the system's,
    or a path. conda honours these two variables."""
    if settings.ssl_verify is True:
        return environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    return settings.ssl_verify


def refuse_client_certificate(settings: Settings, problem: str, hint: str) -> None:
    """Raise SettingsError where one is configured."""
    for name in ("client_ssl_cert", "client_ssl_cert_key"):
        if getattr(settings, name) is not None:
            raise SettingsError(f"{problem} (`{name}`)", where=settings.origin(name), hint=hint)
