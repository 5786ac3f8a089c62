"""The sharing of one environment as a small world, all of whose histories are explored.

Processes take turns in every possible order, one system call at a time, and may be killed before each. A world is a
value; `moves` gives the worlds that can follow it, and `explore` visits all that can be reached and checks the
invariants (`complaint`) in each. What each actor does is what `usage`, `prepare` and `sweep` do, one step per call to
the file system; the laws of the design are switches, so that a test can leave one out and see the world break.

Simplifications, all on the side of more histories: time does not exist (whatever is unused may be swept at once);
of a prefix only whether it is complete matters; a purge takes the marker; one build follows another in one place.
"""

# ruff: noqa: PLR0911, PLR0912 - an actor is a table of steps, and reads best as one

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Laws:
    """What the processes abide by. A field's name says the law; False leaves it out."""

    note_before_marker: bool = True  #: starred: note, marker, note again
    look_at_marker: bool = True  #: starred: the same law
    note_again: bool = True  #: starred: the same law
    look_again_under_the_lock: bool = True  #: starred
    put_back_what_is_aside: bool = True  #: starred: the same law
    clear_what_is_unfinished: bool = True  #: starred: the same law
    note_before_unlocking: bool = True  #: starred
    marker_last: bool = True
    lock: bool = True
    unmark_before_listing: bool = True
    list_before_table: bool = True
    spare_broken_in_use: bool = True
    installers_inherit_the_lock: bool = True
    unlink_aside_before_deleting_in_place: bool = True
    wait_for_caches: bool = True
    still_aside_as_left: bool = True
    names_prove_nothing: bool = True  #: another boot of this host's name is not this host before it was booted
    signs_of_life: bool = True  #: nor is a clone, alike in all, that was seen since this boot began
    places_tell_containers_apart: bool = True
    job_ends_prove_nothing: bool = True  #: a daemon outlives its job
    second_lock: bool = True  #: where locks count on one host alone, a link is taken as well
    break_links_of_the_dead_alone: bool = True
    own_token: bool = True  #: nothing is finished or discarded unless the lock still bears the creator's name


STARRED = (
    "note_before_marker",
    "look_at_marker",
    "note_again",
    "look_again_under_the_lock",
    "put_back_what_is_aside",
    "clear_what_is_unfinished",
    "note_before_unlocking",
)


class Prefix(NamedTuple):
    build: int
    complete: bool = False
    uses: bool = False  #: the directory of uses is there
    marker: str = ""  #: "", "ready" or "aside"
    stamp: int = 0  #: changes with each putting aside
    notes: frozenset[int] = frozenset()


class Actor(NamedTuple):
    kind: str  #: "runner", "foreign", "force", "sweeper", "purge", "wipe" or one of `ELSEWHERE`
    step: str
    build: int = 0  #: what it read from the marker
    seen: frozenset[int] = frozenset()
    table: frozenset[int] = frozenset()
    rounds: int = 1
    cached: bool = False  #: a client whose cache still shows the marker
    left: tuple[int, str, int] | None = None  #: build, marker and stamp of the prefix before a pause


class World(NamedTuple):
    actors: tuple[Actor, ...]
    prefix: Prefix | None = None
    lock: int | None = None
    builds: int = 0
    kills: int = 0  #: that may still happen
    orphan: bool = False  #: an installer whose creator was killed still writes
    fault: str = ""


#: Runners that this host's sweeper does not see among its processes, and the law by which their notes count as live.
ELSEWHERE = {
    "twin": "names_prove_nothing",  #: on a machine of the same name
    "clone": "signs_of_life",  #: on a machine alike in all
    "contained": "places_tell_containers_apart",  #: in another container, where this one's pids mean something else
    "daemon": "job_ends_prove_nothing",  #: on another host, whose job has ended
}

ORPHAN = -1
ENDED = ("done", "dead", "refused", "elsewhere")


@dataclass(frozen=True)
class Setting:
    """Who takes part, and what the disk is like."""

    actors: tuple[str, ...]
    kills: int = 0
    made: bool = False  #: the environment is there at the beginning
    in_place: bool = False  #: the prefix cannot be renamed (overlayfs)
    network: bool = False
    local_locks: bool = False  #: each host locks for itself
    rounds: int = 1  #: of each sweeper
    laws: Laws = Laws()

    def begin(self) -> World:
        actors = tuple(
            Actor(kind, "idle" if kind in ("sweeper", "purge", "wipe") else "unborn", rounds=self.rounds)
            for kind in self.actors
        )
        prefix = Prefix(1, True, True, "ready") if self.made else None
        return World(actors, prefix, builds=int(self.made), kills=self.kills)


# Moves ---------------------------------------------------------------------------------------------------------------


def moves(world: World, setting: Setting) -> Iterator[tuple[str, World]]:
    """Every single step that somebody can take, with its name."""
    for me, actor in enumerate(world.actors):
        if actor.step in ENDED:
            continue
        take = {"sweeper": _sweeper, "purge": _purge, "wipe": _wipe}.get(actor.kind, _runner)
        for label, after in take(world, me, actor, setting):
            yield f"{actor.kind} {me}: {label}", after
        if world.kills and actor.step not in ("unborn", "idle") and actor.kind not in ("purge", "wipe"):
            yield f"{actor.kind} {me}: killed at `{actor.step}`", _killed(world, me, actor, setting)
    if world.orphan:
        prefix = world.prefix
        torn = prefix._replace(complete=False) if prefix else Prefix(0)
        yield "orphan: writes", world._replace(prefix=torn)
        lock = None if world.lock == ORPHAN else world.lock
        yield "orphan: ends", world._replace(orphan=False, lock=lock)


def _to(world: World, me: int, step: str, **changes: object) -> World:
    actor = world.actors[me]._replace(step=step, **changes)  # type: ignore[arg-type]
    return world._replace(actors=(*world.actors[:me], actor, *world.actors[me + 1 :]))


def _killed(world: World, me: int, actor: Actor, setting: Setting) -> World:
    world = _to(world, me, "dead", seen=frozenset(), table=frozenset())._replace(kills=world.kills - 1)
    orphan = actor.step == "install"
    lock = world.lock
    if lock == me:
        lock = ORPHAN if orphan and setting.laws.installers_inherit_the_lock else None
    return world._replace(lock=lock, orphan=world.orphan or orphan)


def _marked(world: World) -> bool:
    return world.prefix is not None and world.prefix.marker == "ready"


def _living(world: World, laws: Laws) -> frozenset[int]:
    """Processes in the table. A foreign one cannot be asked, so it counts as living even when it is not."""
    return frozenset(
        me
        for me, actor in enumerate(world.actors)
        if (actor.kind in ELSEWHERE and getattr(laws, ELSEWHERE[actor.kind]))
        or actor.kind == "foreign"
        or (actor.kind not in ELSEWHERE and actor.step not in ENDED and actor.step != "unborn")
    )


def _with_lock(world: World, me: int, setting: Setting) -> World | None:
    laws = setting.laws
    if not laws.lock:
        return world
    is_elsewhere = world.actors[me].kind == "foreign"
    if setting.local_locks and not laws.second_lock and is_elsewhere:
        return world  # its own lock, of which nobody here knows
    if not laws.break_links_of_the_dead_alone and is_elsewhere and world.lock not in (None, me):
        return world._replace(lock=me)  # broken, since its holder is not to be seen from here
    return world._replace(lock=me) if world.lock is None else None


def _without_lock(world: World, me: int) -> World:
    return world._replace(lock=None) if world.lock == me else world


def _runner(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    """`prepare.ensure`: the warm path without a lock, the cold path under it."""
    if actor.step in ("unborn", "note", "marker", "note again", "run"):
        yield _warm(world, me, actor, setting)
    else:
        yield from _cold(world, me, actor, setting)


def _warm(world: World, me: int, actor: Actor, setting: Setting) -> tuple[str, World]:
    laws, prefix = setting.laws, world.prefix
    if actor.step == "unborn":
        if actor.kind == "force" or not _marked(world):
            return "starts, finds nothing", _to(world, me, "wait")
        assert prefix is not None
        first = "note" if laws.note_before_marker else "marker"
        return "starts, reads marker", _to(world, me, first, build=prefix.build, cached=actor.kind == "foreign")
    if actor.step == "note":
        if prefix is None or prefix.build != actor.build or not prefix.uses:
            return "cannot note", _to(world, me, "wait")
        after = world._replace(prefix=prefix._replace(notes=prefix.notes | {me}))
        if not laws.note_before_marker:
            return "notes", _to(after, me, "run")
        return "notes", _to(after, me, "marker" if laws.look_at_marker else "note again")
    if actor.step == "marker":
        if not _marked(world) and not actor.cached:
            return "misses the marker", _to(world, me, "wait")
        if not laws.note_before_marker:
            return "sees the marker", _to(world, me, "note")
        return "sees the marker", _to(world, me, "note again" if laws.note_again else "run")
    if actor.step == "note again":
        there = prefix is not None and prefix.build == actor.build and me in prefix.notes
        return "sees its note" if there else "misses its note", _to(world, me, "run" if there else "wait")
    return "ends", _to(world, me, "done")


def _cold(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    laws, prefix = setting.laws, world.prefix
    step = actor.step
    if step == "wait":
        if world.lock is not None and _marked(world) and actor.kind != "force":
            assert prefix is not None
            first = "note" if laws.note_before_marker else "marker"
            yield "sees that it was made", _to(world, me, first, build=prefix.build, cached=actor.kind == "foreign")
        locked = _with_lock(world, me, setting)
        if locked is not None:
            yield "locks", _to(locked, me, "locked")
    elif step == "locked":
        yield _look_again(world, me, actor, setting)
    elif step == "pause":
        yield "has waited", _to(_expired(world), me, "list", left=None)
    elif step == "list":
        assert prefix is not None
        for label, notes in _listings(world, prefix, setting):
            yield label, _to(world, me, "judge", seen=notes - {me})
    elif step == "judge":
        yield _judge_for_runner(world, me, actor, setting)
    elif step == "clear":
        fault = world.fault
        if prefix is not None and prefix.complete and prefix.marker and actor.kind != "force":
            fault = "a runner threw away a finished environment"
        yield "clears", _to(world._replace(prefix=None, fault=fault), me, "begin")
    elif step == "begin":
        after = world._replace(prefix=Prefix(world.builds + 1), builds=world.builds + 1)
        yield "begins", _to(after, me, "install" if laws.marker_last else "uses", build=world.builds + 1)
    elif (prefix is None or prefix.build != actor.build) and any(one.kind == "wipe" for one in world.actors):
        # Its files were deleted, its lock with them: the holder of the lock now makes what is there.
        left = world if laws.own_token else world._replace(prefix=None)
        yield "finds that its place was deleted", _to(_without_lock(left, me), me, "refused")
    elif prefix is None or prefix.build != actor.build:
        yield "loses its prefix", _to(world._replace(fault="a creator's prefix was taken away"), me, "dead")
    elif step == "install":
        after = world._replace(prefix=prefix._replace(complete=True))
        yield "installs", _to(after, me, "uses" if laws.marker_last else "note locked")
    elif step == "uses":
        yield "makes uses", _to(world._replace(prefix=prefix._replace(uses=True)), me, "mark")
    elif step == "mark":
        after = world._replace(prefix=prefix._replace(marker="ready"))
        yield "marks", _to(after, me, "note locked" if laws.marker_last else "install")
    elif step == "note locked":
        if laws.note_before_unlocking:
            after = world._replace(prefix=prefix._replace(notes=prefix.notes | {me}))
            yield "notes under the lock", _to(after, me, "unlock")
        else:
            yield "unlocks", _to(_without_lock(world, me), me, "note late")
    elif step == "note late":
        yield "notes", _to(world._replace(prefix=prefix._replace(notes=prefix.notes | {me})), me, "run")
    else:
        assert step == "unlock", step
        yield "unlocks", _to(_without_lock(world, me), me, "run")


def _look_again(world: World, me: int, actor: Actor, setting: Setting) -> tuple[str, World]:
    laws, prefix = setting.laws, world.prefix
    look = "pause" if setting.network and laws.wait_for_caches else "list"
    if prefix is None:
        return "finds nothing", _to(world, me, "begin")
    if not laws.look_again_under_the_lock:
        return "does not look", _to(world, me, "clear")
    if actor.kind == "force":
        aside = prefix._replace(marker="aside" if prefix.marker else "", stamp=prefix.stamp + 1)
        return "puts the marker aside", _to(world._replace(prefix=aside), me, look)
    if prefix.marker == "aside" and laws.put_back_what_is_aside:
        after = world._replace(prefix=prefix._replace(marker="ready"))
        return "puts back", _to(after, me, "note locked", build=prefix.build)
    if prefix.marker == "ready":
        return "finds the marker", _to(world, me, "note locked", build=prefix.build)
    if not laws.clear_what_is_unfinished:
        after = world._replace(prefix=prefix._replace(uses=True, marker="ready"))
        return "believes what is there", _to(after, me, "note locked", build=prefix.build)
    return "finds it unfinished", _to(world, me, look if laws.spare_broken_in_use else "clear")


def _judge_for_runner(world: World, me: int, actor: Actor, setting: Setting) -> tuple[str, World]:
    assert world.prefix is not None
    if not actor.seen & _living(world, setting.laws):
        return "finds nobody in it", _to(world, me, "clear", seen=frozenset())
    prefix = world.prefix._replace(marker="ready" if world.prefix.marker == "aside" else world.prefix.marker)
    end = "refused" if actor.kind == "force" else "elsewhere"
    return "finds it in use", _to(_without_lock(world._replace(prefix=prefix), me), me, end, seen=frozenset())


def _sweeper(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    """`sweep._renew` (prunes without a lock), and `sweep._Removal`."""
    laws, prefix = setting.laws, world.prefix
    if actor.step == "idle":
        if actor.rounds == 0:
            yield "ends", _to(world, me, "done")
            return
        yield "begins to prune", _to(world, me, "prune list", table=_table(world, laws))
        locked = _with_lock(world, me, setting)
        if locked is None:
            yield "finds it busy", _rest(world, me, actor)
        else:
            yield "locks", _to(locked, me, "sweep", table=_table(world, laws))
    elif actor.step == "prune list":
        if prefix is None:
            yield "finds nothing to prune", _rest(world, me, actor)
        else:
            yield "lists notes to prune", _to(world, me, "prune", seen=prefix.notes, build=prefix.build)
    elif actor.step == "prune":
        yield "prunes", _rest(_pruned(world, actor, laws), me, actor)
    else:
        yield from _removal(world, me, actor, setting)


def _table(world: World, laws: Laws) -> frozenset[int]:
    return frozenset() if laws.list_before_table else _living(world, laws)


def _rest(world: World, me: int, actor: Actor) -> World:
    world = _without_lock(world, me)
    rested = Actor(actor.kind, "idle", rounds=actor.rounds - 1)
    return world._replace(actors=(*world.actors[:me], rested, *world.actors[me + 1 :]))


def _pruned(world: World, actor: Actor, laws: Laws) -> World:
    prefix = world.prefix
    if prefix is None or prefix.build != actor.build:
        return world
    living = _living(world, laws) if laws.list_before_table else actor.table
    return world._replace(prefix=prefix._replace(notes=prefix.notes - (actor.seen - living)))


def _removal(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    laws, prefix, step = setting.laws, world.prefix, actor.step
    if step == "relock":
        locked = _with_lock(world, me, setting)
        if locked is None:
            yield "finds it busy", _rest(world, me, actor)
        elif prefix is None or not _is_as_left(prefix, actor.left, laws):
            yield "finds it used", _rest(locked, me, actor)
        else:
            yield "locks again", _to(locked, me, "list")
    elif step == "pause":
        yield "has waited", _to(_expired(world), me, "relock")
    elif prefix is None:
        yield "finds nothing", _rest(world, me, actor)
    elif step == "sweep":
        yield _unmark(world, me, actor, setting)
    elif step == "list":
        for label, notes in _listings(world, prefix, setting):
            yield label, _to(world, me, "judge", seen=notes)
    elif step == "judge":
        living = _living(world, laws) if laws.list_before_table else actor.table
        used = bool(actor.seen & living)
        yield "finds it used" if used else "finds nobody", _to(world, me, "put back" if used else "discard")
    elif step == "put back":
        back = prefix._replace(marker="ready" if prefix.marker == "aside" else prefix.marker)
        yield "puts back", _rest(world._replace(prefix=back), me, actor)
    elif step == "discard" and setting.in_place:
        marker = "" if laws.unlink_aside_before_deleting_in_place else prefix.marker
        yield "unlinks the marker", _to(world._replace(prefix=prefix._replace(marker=marker)), me, "delete")
    elif step == "delete" and prefix.complete:
        yield "deletes half", _to(world._replace(prefix=prefix._replace(complete=False)), me, "delete")
    else:
        yield "discards", _rest(world._replace(prefix=None), me, actor)


def _unmark(world: World, me: int, actor: Actor, setting: Setting) -> tuple[str, World]:
    prefix = world.prefix
    assert prefix is not None
    if prefix.marker == "aside":
        return "puts back for another", _rest(world._replace(prefix=prefix._replace(marker="ready")), me, actor)
    if prefix.marker and setting.laws.unmark_before_listing:
        prefix = prefix._replace(marker="aside", stamp=prefix.stamp + 1)
        world = world._replace(prefix=prefix)
    if setting.network and setting.laws.wait_for_caches:
        left = (prefix.build, prefix.marker, prefix.stamp)
        return "unmarks, unlocks", _to(_without_lock(world, me), me, "pause", left=left)
    return "unmarks", _to(world, me, "list")


def _is_as_left(prefix: Prefix, left: tuple[int, str, int] | None, laws: Laws) -> bool:
    if laws.still_aside_as_left:
        return (prefix.build, prefix.marker, prefix.stamp) == left
    return left is not None and prefix.marker == left[1]


def _expired(world: World) -> World:
    """After a pause whatever was cached when it began is forgotten, and what was put aside by then is so for all."""
    return world._replace(actors=tuple(actor._replace(cached=False) for actor in world.actors))


def _listings(world: World, prefix: Prefix, setting: Setting) -> Iterator[tuple[str, frozenset[int]]]:
    """What a look at the notes may show: without a pause, a cache may hide those of other hosts."""
    yield "lists notes", prefix.notes
    foreign = frozenset(one for one in prefix.notes if world.actors[one].kind == "foreign")
    if setting.network and not setting.laws.wait_for_caches and foreign:
        yield f"lists notes, without {sorted(foreign)}", prefix.notes - foreign


def _purge(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    yield "stays away", _to(world, me, "done")
    prefix = world.prefix
    if prefix is not None and prefix.marker:
        yield "takes the marker", _to(world._replace(prefix=prefix._replace(marker="")), me, "done")


def _wipe(world: World, me: int, actor: Actor, setting: Setting) -> Iterator[tuple[str, World]]:
    """A person who deletes the whole place, its locks too, while something is being made there."""
    yield "stays away", _to(world, me, "done")
    holder = world.actors[world.lock] if world.lock not in (None, ORPHAN) else None
    if holder is not None and holder.step in ("install", "uses", "mark"):
        yield "deletes everything", _to(world._replace(prefix=None, lock=None), me, "done")


# Invariants ----------------------------------------------------------------------------------------------------------


def complaint(world: World, setting: Setting) -> str | None:
    """What is wrong with this world; None if nothing is."""
    if world.fault:
        return world.fault
    for me, actor in enumerate(world.actors):
        if actor.step == "run":
            prefix = world.prefix
            if prefix is None or prefix.build != actor.build:
                return f"the environment of process {me} was removed while it ran"
            if not prefix.complete:
                return f"process {me} runs in an incomplete environment"
    if world.builds > 1 and not world_may_be_cleaned(setting):
        return "one environment was created twice"
    return None


def world_may_be_cleaned(setting: Setting) -> bool:
    return setting.kills > 0 or any(kind not in ("runner", "foreign", *ELSEWHERE) for kind in setting.actors)


def complaint_at_the_end(world: World) -> str | None:
    """What is wrong when nobody can move any more."""
    stuck = [me for me, actor in enumerate(world.actors) if actor.step not in ENDED]
    if stuck:
        return f"processes {stuck} are stuck"
    return "the lock is held by nobody who lives" if world.lock is not None else None


@dataclass(frozen=True)
class Outcome:
    states: int
    complaint: str | None = None
    history: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"{self.complaint or 'fine'} ({self.states} states)", *self.history])


def explore(setting: Setting, most: int = 2_000_000) -> Outcome:
    """Every history, the shortest ones first; ends at the first world with something to complain about."""
    first = setting.begin()
    came: dict[World, tuple[World, str] | None] = {first: None}
    waiting = deque([first])
    while waiting:
        world = waiting.popleft()
        wrong = complaint(world, setting)
        following = list(moves(world, setting)) if wrong is None else []
        if wrong is None and all(label.startswith("orphan: writes") for label, _ in following):
            wrong = complaint_at_the_end(world)
        if wrong is not None:
            return Outcome(len(came), wrong, _history(world, came))
        for label, after in following:
            if after not in came:
                came[after] = (world, label)
                waiting.append(after)
        assert len(came) < most, "too many states: smaller bounds, please"
    return Outcome(len(came))


def _history(world: World, came: dict[World, tuple[World, str] | None]) -> tuple[str, ...]:
    steps = []
    while (before := came[world]) is not None:
        world, label = before
        steps.append(label)
    return tuple(reversed(steps))


def without(law: str) -> Laws:
    assert law in {field.name for field in fields(Laws)}, law
    return replace(Laws(), **{law: False})
