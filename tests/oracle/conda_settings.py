"""Run by an interpreter that has conda: answers what conda makes of settings files. No module of ours is imported.

One JSON object per line on standard input, `{"search_path": [...], "environ": {...}, "channels": [...]}`; for each one
JSON object per line on standard output: the settings by name, or `{"error": "..."}`; and what the channels are.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

NAMES = (
    *("channel_alias", "channel_priority", "client_ssl_cert", "client_ssl_cert_key", "custom_channels"),
    *("custom_multichannels", "default_channels", "offline", "override_channels_enabled", "proxy_servers"),
    *("remote_connect_timeout_secs", "remote_max_retries", "remote_read_timeout_secs", "ssl_verify"),
    *("allowlist_channels", "denylist_channels", "pinned_packages", "disallowed_packages"),
    *("exclude_newer", "add_anaconda_token", "repodata_use_zst", "repodata_use_shards"),
)


def plain(value: object) -> object:
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


def answer(question: dict[str, Any]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(question["environ"])
    from conda.base.context import context, reset_context
    from conda.common.configuration import YamlRawParameter
    from conda.models.channel import Channel

    # An old conda reads files again by itself, and knows fewer settings.
    getattr(YamlRawParameter, "cache_clear", bool)()
    try:
        reset_context(question["search_path"])
        raw = type(context).__dict__
        found = {}
        for name in NAMES:
            for spelt in (f"_{name}", name):
                if spelt in raw:
                    found[name] = plain(getattr(context, spelt))
                    break
        # As written, before the allow and deny lists are looked at.
        found["channels"] = plain(context._channels)
        found["subdir"] = context._subdir
        channels = {}
        for name in question["channels"]:
            channel = Channel(name)
            parts = getattr(channel, "channels", None) or getattr(channel, "_channels", None) or (channel,)
            channels[name] = [
                channel.canonical_name,
                [f"{part.scheme}://{part.location}/{part.name or ''}" for part in parts],
                [part.url(True) for part in parts],
            ]
    except Exception as error:  # noqa: BLE001  # whatever conda raises is its answer
        return {"error": f"{type(error).__name__}: {error}"}
    return {"settings": found, "channels": channels}


def main() -> None:
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            found = answer(json.loads(line))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
