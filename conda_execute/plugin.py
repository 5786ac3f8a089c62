"""conda's entry point: the hooks that conda finds through the entry-point group `conda`.

Subcommands `execute` and `tmpenv`, our settings below `plugins:`, a script as an environment file (`conda env create
--file script.py`), and a health check. Only conda imports this module, at every start of `conda`: it defines a few
functions and imports nothing of ours. A hook is defined only if this conda has it.

The subcommands do not use conda's parser, so both entry points get the same arguments. They end the process themselves:
a script replaces it, and a process that used the engine must not be torn down (see `terminal.run`).
"""

from __future__ import annotations

import os
import sys

from conda.plugins import hookimpl, types
from conda.plugins.hookspec import CondaSpecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, NoReturn

    from .configuration.declared import Setting


def _has(hook: str) -> bool:
    return hasattr(CondaSpecs, f"conda_{hook}")


# --- Subcommands -----------------------------------------------------------------------------------------------------


@hookimpl
def conda_subcommands() -> Iterator[types.CondaSubcommand]:
    yield types.CondaSubcommand(
        name="execute", summary="Run a script in the environment declared in its comments.", action=execute
    )
    yield types.CondaSubcommand(
        name="tmpenv", summary="List and delete the environments that `conda execute` creates.", action=tmpenv
    )


def execute(argv: Sequence[str]) -> NoReturn:
    from .launch.process import hand_over

    _forget_conda()
    hand_over(argv)
    from .cli.execute import main
    from .terminal.messages import run
    from .text import call_by_conda

    call_by_conda()
    run(lambda _: main(argv))


def tmpenv(argv: Sequence[str]) -> NoReturn:
    from .cli.tmpenv import main
    from .terminal.messages import run
    from .text import call_by_conda

    _forget_conda()
    call_by_conda()
    run(lambda _: main(argv))


def _forget_conda() -> None:
    """Undo what conda did to this process: the script must not notice that conda started it."""
    import logging

    # Set by `import conda`; another value was set by the user.
    if os.environ.get("CONDA_ROOT") == sys.prefix:
        del os.environ["CONDA_ROOT"]
    # conda prints messages of the root logger and its own; its `-v` must not show debug messages of our libraries.
    logging.disable(logging.WARNING)


# --- Settings --------------------------------------------------------------------------------------------------------

if _has("settings"):

    @hookimpl
    def conda_settings() -> Iterator[types.CondaSetting]:
        """The settings that `settings.load` reads, so that `conda config` knows, checks and describes them."""
        from .configuration.declared import OURS, Settings

        defaults = Settings()
        for setting in OURS:
            yield types.CondaSetting(
                name=f"conda_execute_{setting.field}",
                description=setting.description,
                parameter=_parameter(setting, getattr(defaults, setting.field)),
                aliases=(),
            )


def _parameter(setting: Setting, default: Any) -> Any:
    """How conda reads and checks one of our settings; to conda, a span of time is a number."""
    from conda.common.configuration import PrimitiveParameter, SequenceParameter

    if setting.shape == "list":
        return SequenceParameter(PrimitiveParameter("", element_type=str))
    if setting.unit:
        return PrimitiveParameter(default.total_seconds() / {"hours": 3600.0, "days": 86400.0}[setting.unit])
    if isinstance(default, bool):
        return PrimitiveParameter(default)

    def is_valid(value: str | bool | None) -> bool | str:
        try:
            return value is None or setting.convert(str(value)) is not None
        except ValueError as error:
            return f"it must be {error}"

    # YAML reads `off` as false. conda supports text or null, and text or booleans, but not all three.
    further = type(None) if default is None else bool
    return PrimitiveParameter(default, element_type=(str, further), validation=is_valid)


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
            # conda's own reader of requirements.txt accepts any file whose lines look like specs, as `import numpy`
            # does, and two readers for one file are an error. A reader that claims a file name takes precedence.
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
    """Print the health of the environments of scripts: those that `conda tmpenv list` shows, whichever prefix is
    checked."""
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
