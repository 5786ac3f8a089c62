"""`--trusted` and `--distrust`: list the trusted scripts from the web, and stop trusting one."""

from __future__ import annotations

from ..cache import fitting_cache
from ..configuration.settings import load
from ..errors import UsageError
from ..launch.process import inherited_environ
from ..options import RunOptions
from ..script.web import address, trust
from ..terminal.messages import print_json
from ..text import printable


def trusted(options: RunOptions) -> int:
    """Show the SHA-256 and address of each trusted script, and the patterns of the setting."""
    environ = inherited_environ()
    said, patterns = trust.trusted(fitting_cache(environ)), load(environ).trusted_urls
    if options.json:
        scripts = [{"url": url, "sha256": digest} for digest, url in said]
        print_json({"scripts": scripts, "trusted_urls": list(patterns)})
        return 0
    for digest, url in said:
        print(f"{digest}  {printable(url)}")
    for pattern in patterns:
        print(f"{'trusted-urls':64}  {printable(pattern)}")
    return 0


def distrust(options: RunOptions) -> int:
    cache = fitting_cache(inherited_environ())
    for url in options.distrust:
        if not trust.forget(str(address.parse(url)), cache):
            raise UsageError(f"`{url}` is not trusted", hint="`conda execute --trusted` lists the trusted scripts")
    return 0
