"""What `conda execute` says instead of running the script: what the header means, and what would be done."""

from __future__ import annotations

from ..environments.name import environment_name
from ..plan import recipe_of, require_trust, store_of, with_lock
from ..terminal.messages import print_json
from ..text import megabytes, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..plan import Run


def check(run: Run) -> int:
    """What the header means, if it is right."""
    run.require_words()
    recipe_of(run).check()
    meaning = _meaning(run)
    if run.chosen.json:
        print_json(meaning)
    else:
        _print_meaning(meaning)
    return 0


def _meaning(run: Run) -> dict[str, Any]:
    """What a header means, as plain values; what it does not mention is left out."""
    header, request = run.header, run.request
    said: dict[str, Any] = {
        "script": run.script.title,
        "format": header.format,
        "name": environment_name(request),
        "specs": list(request.specs),
        "pypi": list(request.pypi),
        "channels": [channel.name for channel in request.channels],
        "constraints": list(request.constraints),
        "channel_priority": header.channel_priority,
        "exclude_newer": request.exclude_newer,
        "platform": request.platform,
        "run_with": None if header.entrypoint else list(run.words()),
        "entrypoint": None if header.entrypoint is None else str(header.entrypoint),
        "variables": dict(header.variables),
        "notices": list(header.notices),
    }
    return {name: value for name, value in said.items() if value not in (None, [], {})}


def _print_meaning(meaning: dict[str, Any]) -> None:
    width = max(map(len, meaning)) + 2
    for name, value in meaning.items():
        lines = [f"{key}={text}" for key, text in value.items()] if isinstance(value, dict) else value
        if name == "run_with":
            lines = [" ".join(value)]
        texts = map(printable, lines if isinstance(lines, list) else [lines])
        text = ("\n" + " " * width).join(texts)
        print(f"{name.replace('_', ' ') + ':':{width}}{text}")


def dry_run(run: Run) -> int:
    """What a run would install, make or reuse."""
    run.require_words()
    require_trust(run)
    store = store_of(run)
    run = with_lock(run, store)
    name = environment_name(run.request)
    environment = store.find(name)
    meaning = _meaning(run)
    meaning["prefix"] = environment.prefix if environment else store.prefix(name)
    meaning["state"] = "ready" if environment else "missing"
    solution = None if environment else recipe_of(run).solution()
    if run.chosen.json:
        if solution is not None:
            meaning["packages"] = [
                {"name": package.name, "version": package.version, "build": package.build, "url": package.url}
                for package in solution.packages
            ]
            meaning["download"] = solution.download
        print_json(meaning)
        return 0
    if solution is not None:
        meaning["download"] = megabytes(solution.download)
    _print_meaning(meaning)
    if solution is not None:
        print("\nwould install:", *(f"  {package}" for package in solution.packages), sep="\n")
    return 0
