"""conda's door: what `conda` finds through the entry-point group of that name.

Subcommands `execute` and `tmpenv`, our settings below `plugins:`, a script as an environment file (`conda env create
--file script.py`), and a health check. Only conda imports this module, at every start of `conda`: it defines a few
functions and imports nothing of ours. A hook is defined only where that conda has it.

The subcommands have no parser of conda's, so both doors get the same words. They end the process themselves: a script
replaces it, and a process that used the engine must not be torn down (see `terminal.run`).
"""

from __future__ import annotations

import os
import sys

from conda.plugins import hookimpl, types
from conda.plugins.hookspec import CondaSpecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn


def _has(hook: str) -> bool:
    return hasattr(CondaSpecs, f"conda_{hook}")


# --- Subcommands -----------------------------------------------------------------------------------------------------


@hookimpl
def conda_subcommands() -> Iterator[types.CondaSubcommand]:
    yield types.CondaSubcommand(
        name="execute", summary="Run a script in the environment that its comments ask for.", action=execute
    )
    yield types.CondaSubcommand(
        name="tmpenv", summary="Look at and clean the environments that `conda execute` makes.", action=tmpenv
    )


def execute(argv: Sequence[str]) -> NoReturn:
    """`conda execute` with these words after it."""
    from .launch.door import hand_over

    _forget_conda()
    hand_over(argv)
    from .cli.execute import main
    from .terminal.messages import run
    from .text import call_by_conda

    call_by_conda()
    run(lambda _: main(argv))


def tmpenv(argv: Sequence[str]) -> NoReturn:
    """`conda tmpenv` with these words after it."""
    from .cli.tmpenv import main
    from .terminal.messages import run
    from .text import call_by_conda

    _forget_conda()
    call_by_conda()
    run(lambda _: main(argv))


def _forget_conda() -> None:
    """Take back what conda did to this process: the script must not notice who started it."""
    import logging

    # Set by `import conda`; whoever set it otherwise meant another place.
    if os.environ.get("CONDA_ROOT") == sys.prefix:
        del os.environ["CONDA_ROOT"]
    # conda prints what is logged on the root logger and its own; our libraries' debugging is not for its `-v`.
    logging.disable(logging.WARNING)


# --- Settings --------------------------------------------------------------------------------------------------------

if _has("settings"):

    @hookimpl
    def conda_settings() -> Iterator[types.CondaSetting]:
        """The same settings that `settings.load` reads, so that `conda config` knows, checks and describes them."""
        from conda.common.configuration import PrimitiveParameter, SequenceParameter

        text = (str, type(None))
        parameters = {
            "env_dir": (PrimitiveParameter(None, element_type=text), "Directory for the environments of scripts."),
            "remove_if_unused_for": (PrimitiveParameter(25.0), "Hours without use after which one is removed."),
            "foreign_use_ttl": (PrimitiveParameter(30.0), "Days for which a use on another host counts as live."),
            "backend": (
                PrimitiveParameter(None, element_type=text, validation=_is_backend),
                "What solves and installs: `rattler`, the embedded engine, or `conda`; none: what works here.",
            ),
            "auto_clean": (PrimitiveParameter(True), "Remove unused environments automatically."),
            "trusted_urls": (
                SequenceParameter(PrimitiveParameter("", element_type=str)),
                "Patterns of URLs whose scripts run without a question.",
            ),
            "trusted_groups": (
                SequenceParameter(PrimitiveParameter("", element_type=str)),
                "Groups whose members may write where others could change what scripts run.",
            ),
            "run_link_scripts": (PrimitiveParameter(True), "Run the packages' own post-link scripts."),
            "advisories_url": (PrimitiveParameter("https://api.osv.dev"), "Where advisories are asked for."),
            "require_indexed_timestamp": (
                PrimitiveParameter(False),
                "Only a channel's own times count for a cooldown.",
            ),
            "attestations": (
                PrimitiveParameter("off", element_type=(str, bool)),
                "What is asked of packages' attestations: `off`, `warn` or `require`.",
            ),
            "refuse_malicious": (PrimitiveParameter(False), "Make no environment with a package known as malicious."),
            "sandbox": (
                PrimitiveParameter("off", element_type=(str, bool)),
                "Whose scripts run in a sandbox: `off`, `urls` or `always`.",
            ),
            "user_libraries": (PrimitiveParameter(False), "Let scripts use what the user installed elsewhere."),
        }
        for name, (parameter, description) in parameters.items():
            yield types.CondaSetting(
                name=f"conda_execute_{name}", description=description, parameter=parameter, aliases=()
            )


def _is_backend(value: str | None) -> bool | str:
    from .configuration.settings import BACKENDS

    return value is None or value in BACKENDS or f"it must be one of {', '.join(BACKENDS)}"


# --- A script as an environment file ---------------------------------------------------------------------------------

if _has("environment_specifiers"):

    @hookimpl
    def conda_environment_specifiers() -> Iterator[types.CondaEnvironmentSpecifier]:
        from .conda_plugin.specifier import ScriptSpec
        from .script.languages import LANGUAGES

        suffixes = [suffix for language in LANGUAGES if language.package for suffix in language.suffixes]
        further = {
            "aliases": ("script",),
            "description": "A script whose comments say which environment it needs",
            # conda's own requirements.txt takes any file whose lines look like specs, as `import numpy` does, and two
            # kinds for one file are an error. A kind that claims the name is not asked for its opinion on others'.
            "default_filenames": tuple(f"*{suffix}" for suffix in (".R", *suffixes)),
        }
        known = types.CondaEnvironmentSpecifier.__dataclass_fields__
        yield types.CondaEnvironmentSpecifier(
            name="conda-execute",
            environment_spec=ScriptSpec,
            **{name: value for name, value in further.items() if name in known},
        )


# --- Health ----------------------------------------------------------------------------------------------------------

if _has("health_checks"):

    @hookimpl
    def conda_health_checks() -> Iterator[types.CondaHealthCheck]:
        yield types.CondaHealthCheck(name="conda-execute environments", action=check_health)


def check_health(prefix: str, verbose: bool) -> None:
    """Print how the environments of scripts are; those that `conda tmpenv list` shows, whatever prefix is checked."""
    from .conda_plugin import health

    findings = health.examine(prefix, os.environ)
    mark = "❌" if findings.complaints else "✅"
    try:
        mark.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        mark = "X" if findings.complaints else "OK"
    print(f"{mark} {findings.summary}\n")
    for complaint in findings.complaints:
        print(f"  {complaint}")
    for detail in findings.details if verbose else ():
        print(f"  {detail}")
    if findings.complaints or (verbose and findings.details):
        print()
