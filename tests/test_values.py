"""Values behave as those of `dataclasses` do, which is the oracle."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from typing import Any

import pytest

from conda_execute.lean import values


def make(module: Any) -> tuple[Any, Any]:
    """The same two classes, by one module and by the other."""

    @module.dataclass(frozen=True)
    class Point:
        x: int
        y: int = 2
        seen: list[int] = module.field(default_factory=list)
        where: str = module.field(default="here", compare=False, repr=False)

        def shifted(self) -> Any:
            return module.replace(self, x=self.x + 1)

    @module.dataclass
    class Counter:
        count: int = 0

        def __repr__(self) -> str:
            return f"<{self.count}>"

    Point.__qualname__ = "Point"
    return Point, Counter


@pytest.fixture(params=[values, dataclasses], ids=["values", "dataclasses"])
def classes(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return make(request.param)


def test_values_are_made_compared_and_shown(classes: tuple[Any, Any]) -> None:
    point, counter = classes
    assert point(1) == point(1, 2, []) == point(x=1, where="there") != point(2)
    assert point(1) != (1, 2, [])
    assert repr(point(1, y=3)) == "Point(x=1, y=3, seen=[])"
    assert point(1).seen is not point(1).seen
    assert (point.y, point.where, hasattr(point, "x"), hasattr(point, "seen")) == (2, "here", False, False)
    assert hash(point(1, seen=())) == hash(point(1, 2, (), "there"))
    assert point(1).shifted() == point(2)
    assert repr(counter(3)) == "<3>"
    match point(1, 5):
        case point(x, y):
            assert (x, y) == (1, 5)


def test_frozen_values_stay_and_others_change(classes: tuple[Any, Any]) -> None:
    point, counter = classes
    with pytest.raises(dataclasses.FrozenInstanceError):
        point(1).x = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point(1).x
    changing = counter()
    changing.count += 1
    assert changing == counter(1)
    with pytest.raises(TypeError):
        hash(changing)


@pytest.mark.parametrize(
    ("given", "named"), [((), {}), ((1, 2, 3, 4, 5), {}), ((1,), {"z": 1}), ((1,), {"x": 1})], ids=str
)
def test_wrong_fields_are_refused(classes: tuple[Any, Any], given: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        classes[0](*given, **named)


def test_values_can_be_copied_and_name_their_fields(classes: tuple[Any, Any]) -> None:
    point, _ = classes
    value = point(1, 2, [3])
    assert point.__match_args__ == ("x", "y", "seen", "where")
    assert copy.deepcopy(value) == value


def test_values_of_the_package_survive_pickling() -> None:
    from conda_execute.model import Use

    assert pickle.loads(pickle.dumps(Use(1, "2", "here"))) == Use(1, "2", "here")


def test_making_them_imports_nothing() -> None:
    program = """
import sys
before = set(sys.modules)
from conda_execute.lean.values import dataclass
@dataclass(frozen=True)
class Point:
    x: int = 0
Point()
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(name.startswith(("conda_execute", "__future__")) for name in done.stdout.split()), done.stdout
