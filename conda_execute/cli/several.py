"""One action for several scripts: each is handled, each mistake is reported, and the exit status is the worst."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import ExecuteError, InterruptError
from ..options import RunOptions
from ..terminal.messages import failure, print_json, report


def for_each(
    options: RunOptions, act: Callable[[RunOptions], dict[str, Any]], show: Callable[[dict[str, Any]], None]
) -> int:
    """Call `act` for each script. Its result is shown, or printed as JSON: an object for one script, a list for
    several.

    A mistake in one of several scripts does not hide those of the others.
    """
    each, status, results = options.each(), 0, []
    for one in each:
        try:
            result = act(one)
        except InterruptError:
            raise
        except ExecuteError as error:
            if len(each) == 1:
                raise
            status = max(status, error.exit_status)
            if not options.json:
                report(error)
                continue
            word = one.words[0]
            # As in all other JSON.
            result = {"script": os.path.abspath(word) if os.path.lexists(word) else word, **failure(error)}
        if options.json:
            results.append(result)
        else:
            show(result)
    if options.json:
        print_json(results[0] if len(each) == 1 else results)
    return status
