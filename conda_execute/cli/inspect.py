"""`--check` and `--dry-run`: what a header means, and what a run would do."""

from __future__ import annotations

from typing import Any

from ..credentials import hide
from ..options import RunOptions
from ..plan import Plan, understand
from ..text import megabytes, printable
from .several import for_each


def check(options: RunOptions) -> int:
    """Show what the headers mean if they are valid: one line for each script, or everything with `-v`."""

    def meaning(one: RunOptions) -> dict[str, Any]:
        plan = understand(one)
        plan.require_command()
        plan.recipe().check()
        for notice in plan.header.notices if not (one.verbose or one.json) else ():
            plan.voice.notice(notice)
        shebang = plan.script.head.partition(b"\n")[0]
        if shebang.startswith(b"#!") and shebang.endswith(b"\r"):
            said = "has lines that end in CR LF and does not start as a program; `sed -i 's/\\r$//' FILE` changes that"
            plan.voice.notice(f"`{plan.script.title}` {said}")
        return meaning_of(plan, plan.store().prefix(plan.name) if plan.sandbox else "")

    return for_each(options, meaning, print_meaning if options.verbose else _print_line)


def dry_run(options: RunOptions) -> int:
    """What runs would install, create or reuse."""
    return for_each(options, _forecast, _print_forecast)


def _forecast(options: RunOptions) -> dict[str, Any]:
    plan = understand(options)
    plan.require_command()
    plan.require_trust()
    store = plan.store()
    plan = plan.with_lockfile(store)
    environment = store.find(plan.name)
    prefix = environment.prefix if environment else store.prefix(plan.name)
    meaning = meaning_of(plan, prefix)
    meaning["prefix"] = prefix
    meaning["state"] = "ready" if environment else "missing"
    if environment is None:
        solution = plan.recipe().solution(whole=True)
        meaning["packages"] = [
            {"name": package.name, "version": package.version, "build": package.build, "url": package.url}
            for package in solution.packages
        ]
        if solution.pypi:
            meaning["pypi_packages"] = [
                {"name": one.name, "version": one.version, "url": hide(one.location)} for one in solution.pypi
            ]
        if solution.notices:
            meaning["notices"] = [*meaning.get("notices", []), *solution.notices]
        meaning["download"] = solution.download
    return meaning


def meaning_of(plan: Plan, prefix: str) -> dict[str, Any]:
    """What a header means, as plain values; keys that it does not have are left out."""
    header, request = plan.header, plan.request
    said: dict[str, Any] = {
        "script": plan.script.recorded if plan.options.json else plan.script.title,
        "format": header.format,
        "name": plan.name,
        "specs": list(request.specs),
        "pypi": list(request.pypi),
        "channels": [channel.name for channel in request.channels],
        "constraints": list(request.constraints),
        "channel_priority": header.channel_priority,
        "exclude_newer": request.exclude_newer,
        "platform": request.platform,
        "run_with": None if header.entrypoint else list(plan.words()),
        "entrypoint": None if header.entrypoint is None else str(header.entrypoint),
        "variables": dict(header.variables),
        "activation_scripts": list(header.activation_scripts),
        "renew_after": plan.renew_after / 86400 or None,
        "sandbox": _sandbox(plan, prefix) if plan.sandbox else None,
        "notices": list(header.notices),
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _sandbox(plan: Plan, prefix: str) -> dict[str, Any]:
    """What the script may do in its sandbox, besides reading its own files and those of the system."""
    policy = plan.policy(prefix)
    if policy.protected:
        return {"kind": plan.sandbox, "protects": list(policy.protected)}
    variables = list(plan.options.allow_env)
    return {"kind": plan.sandbox, "network": policy.net, "write": list(policy.write), "variables": variables}


def _print_line(meaning: dict[str, Any]) -> None:
    specs = [*meaning.get("specs", []), *(f"pypi:{one}" for one in meaning.get("pypi", []))]
    print(f"{printable(meaning['script'])}: ok ({printable(', '.join(specs))})", flush=True)


def print_meaning(meaning: dict[str, Any]) -> None:
    from ..terminal.table import described

    print(described({name: _lines(name, value) for name, value in meaning.items()}), flush=True)


def _lines(name: str, value: Any) -> list[str]:
    if name == "run_with":
        import shlex

        return [shlex.join(value)]
    if isinstance(value, dict):
        return [f"{key}={_text(one)}" for key, one in value.items()]
    return value if isinstance(value, list) else [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return (", ".join(value) or "nothing") if isinstance(value, list) else str(value)


def _print_forecast(meaning: dict[str, Any]) -> None:
    packages, from_pypi = meaning.pop("packages", None), meaning.pop("pypi_packages", [])
    if packages is not None:
        meaning["download"] = megabytes(meaning["download"])
    print_meaning(meaning)
    if packages is not None:
        lines = [f"  {one['name']} {one['version']} {one['build']}" for one in packages]
        lines += [f"  {one['name']} {one['version']} (PyPI)" for one in from_pypi]
        print("\nwould install:", *lines, sep="\n", flush=True)
