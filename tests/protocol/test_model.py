"""All histories of a few processes that share one environment: the laws suffice, and each is needed."""

from __future__ import annotations

import pytest

from conda_execute.lean.values import replace
from tests.protocol import model
from tests.protocol.model import STARRED, Setting, explore, without

RUNNERS = ("runner", "runner")

SETTINGS = {
    "three runners": Setting(("runner",) * 3),
    "two runners, two kills": Setting(RUNNERS, kills=2),
    "four runners, two kills": Setting(("runner",) * 4, kills=2),
    "two runners and a sweeper, a kill": Setting((*RUNNERS, "sweeper"), kills=1),
    "two runners and a sweeper of an old environment, a kill": Setting((*RUNNERS, "sweeper"), kills=1, made=True),
    "three runners and a sweeper, two kills": Setting(("runner",) * 3 + ("sweeper",), kills=2),
    "two runners and two sweepers, two kills": Setting((*RUNNERS, "sweeper", "sweeper"), kills=2, made=True),
    "two runners and a sweeper that comes twice": Setting((*RUNNERS, "sweeper"), kills=1, made=True, rounds=2),
    "a sweeper that deletes in place, two kills": Setting((*RUNNERS, "sweeper"), kills=2, made=True, in_place=True),
    "force": Setting((*RUNNERS, "force"), kills=1, made=True),
    "force and a sweeper": Setting((*RUNNERS, "force", "sweeper"), made=True),
    "purge": Setting((*RUNNERS, "purge"), kills=1, made=True),
    "purge, force and a sweeper": Setting(("runner", "force", "sweeper", "purge"), kills=1, made=True),
    "a foreign client and a sweeper": Setting(("foreign", "runner", "sweeper"), kills=1, made=True, network=True),
    "a foreign client and two sweepers": Setting(("foreign", "sweeper", "sweeper"), made=True, network=True, rounds=2),
    "a foreign client, force and a sweeper": Setting(
        ("foreign", "runner", "force", "sweeper"), kills=1, made=True, network=True
    ),
    "a machine of the same name and a sweeper": Setting(("twin", "runner", "sweeper"), kills=1, made=True),
    "a clone and a sweeper": Setting(("clone", "runner", "sweeper"), kills=1, made=True),
    "two containers and a sweeper": Setting(("contained", "contained", "sweeper"), kills=1, made=True),
    "a daemon, a runner, force and a sweeper": Setting(("daemon", "runner", "force", "sweeper"), made=True),
    "machines of one name, a clone and two sweepers": Setting(("twin", "clone", "sweeper", "sweeper"), made=True),
    "hosts whose locks are local": Setting(("runner", "foreign", "foreign"), kills=1, local_locks=True),
    "hosts whose locks are local, and a sweeper": Setting(
        ("runner", "foreign", "sweeper"), kills=1, network=True, local_locks=True
    ),
    "runners of which a place is deleted": Setting(("runner",) * 3 + ("wipe",)),
    "a foreign client, a purge and a sweeper": Setting(
        ("foreign", "runner", "sweeper", "purge"), kills=1, made=True, network=True
    ),
}


#: Each takes as long as ten others.
LONG = {"a foreign client, force and a sweeper", "two runners and two sweepers, two kills"}


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param(setting, id=name, marks=[pytest.mark.stress] if name in LONG else [])
        for name, setting in SETTINGS.items()
    ],
)
def test_no_history_breaks_anything(setting: Setting) -> None:
    outcome = explore(setting)
    assert outcome.complaint is None, str(outcome)


@pytest.mark.stress
def test_no_history_of_five_processes_breaks_anything() -> None:
    outcome = explore(Setting(("runner",) * 3 + ("sweeper",) * 2, kills=1, made=True))
    assert outcome.complaint is None, str(outcome)
    assert outcome.states > 700_000


#: Where each law is needed.
NEEDED = {
    "note_before_marker": "two runners and a sweeper of an old environment, a kill",
    "look_at_marker": "two runners and a sweeper of an old environment, a kill",
    "note_again": "two runners and a sweeper of an old environment, a kill",
    "look_again_under_the_lock": "three runners",
    "put_back_what_is_aside": "two runners and a sweeper of an old environment, a kill",
    "clear_what_is_unfinished": "two runners, two kills",
    "note_before_unlocking": "two runners and a sweeper, a kill",
    "marker_last": "three runners",
    "lock": "three runners",
    "unmark_before_listing": "two runners and a sweeper of an old environment, a kill",
    "list_before_table": "two runners and a sweeper of an old environment, a kill",
    "spare_broken_in_use": "purge",
    "installers_inherit_the_lock": "two runners, two kills",
    "unlink_aside_before_deleting_in_place": "a sweeper that deletes in place, two kills",
    "wait_for_caches": "a foreign client and a sweeper",
    "still_aside_as_left": "a foreign client and two sweepers",
    "names_prove_nothing": "a machine of the same name and a sweeper",
    "signs_of_life": "a clone and a sweeper",
    "places_tell_containers_apart": "two containers and a sweeper",
    "job_ends_prove_nothing": "a daemon, a runner, force and a sweeper",
    "second_lock": "hosts whose locks are local",
    "break_links_of_the_dead_alone": "hosts whose locks are local",
    "own_token": "runners of which a place is deleted",
}


@pytest.mark.parametrize("law", NEEDED)
def test_leaving_a_law_out_breaks_something(law: str) -> None:
    outcome = explore(replace(SETTINGS[NEEDED[law]], laws=without(law)))
    assert outcome.complaint is not None
    print(outcome)


def test_every_law_is_tried() -> None:
    assert set(NEEDED) == set(model.Laws.__dataclass_fields__)
    assert set(STARRED) <= set(NEEDED)
