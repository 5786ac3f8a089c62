"""Values as `dataclasses` makes them, without what importing it costs.

`dataclass` of the standard library imports `inspect`, `ast` and `tokenize` and compiles four functions for each class:
a third of what a warm run through Python takes. The decorator here gives the same classes by looking at the fields when
a value is made, which is slower for millions of values and much quicker for a process that makes a dozen. Type
checkers see the standard library's.

Only what this package uses is there: `dataclass`, plain or with `frozen=True`; `field` with `default`,
`default_factory`, `compare` and `repr`; `replace`. No inheritance of fields, no `__post_init__`.
"""

from __future__ import annotations

__all__ = ["dataclass", "field", "replace"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
else:
    _MISSING = object()

    class _Field:
        """What is said of one field."""

        def __init__(self, default, default_factory, compare, repr):  # noqa: A002  the standard library's name
            self.default = default
            self.default_factory = default_factory
            self.compare = compare
            self.repr = repr

        def value(self):
            return self.default if self.default_factory is _MISSING else self.default_factory()

        @property
        def required(self):
            return self.default is _MISSING and self.default_factory is _MISSING

    def field(*, default=_MISSING, default_factory=_MISSING, compare=True, repr=True):  # noqa: A002
        return _Field(default, default_factory, compare, repr)

    def replace(value, /, **changes):
        """The same value, but for these fields."""
        return type(value)(**{**vars(value), **changes})

    def dataclass(cls=None, /, *, frozen=False):
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen)
        cls._value_fields = _read_fields(cls)
        cls._value_compared = tuple(name for name, field in cls._value_fields.items() if field.compare)
        cls._value_required = frozenset(name for name, field in cls._value_fields.items() if field.required)
        cls.__match_args__ = tuple(cls._value_fields)
        cls.__init__ = _init
        cls.__eq__ = _eq
        # As in the standard library, what can change has no hash.
        cls.__hash__ = _hash if frozen else None
        if "__repr__" not in vars(cls):
            cls.__repr__ = _repr
        if frozen:
            cls.__setattr__ = cls.__delattr__ = _refuse
        return cls

    def _read_fields(cls):
        """The fields by name, in order; defaults become plain attributes of the class, as in the standard library."""
        fields = {}
        for name in cls.__annotations__:
            said = vars(cls).get(name, _MISSING)
            fields[name] = said if isinstance(said, _Field) else _Field(said, _MISSING, True, True)
            if isinstance(said, _Field):
                delattr(cls, name)
                if said.default is not _MISSING:
                    setattr(cls, name, said.default)
        return fields

    def _init(self, *values, **named):
        fields = self._value_fields
        if len(values) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {len(fields)} values, {len(values)} were given")
        for name, value in zip(fields, values):  # noqa: B905  fewer values than fields is what defaults are for
            if name in named:
                raise TypeError(f"{type(self).__name__} got two values for `{name}`")
            named[name] = value
        if not named.keys() <= fields.keys() or not self._value_required <= named.keys():
            wrong = ", ".join(sorted(named.keys() - fields.keys() or self._value_required - named.keys()))
            raise TypeError(f"{type(self).__name__} has no fields, or got no values for its fields: {wrong}")
        # Past `__setattr__`, which a frozen value refuses.
        vars(self).update({name: named[name] if name in named else field.value() for name, field in fields.items()})

    def _key(self):
        own = vars(self)
        return tuple(own[name] for name in self._value_compared)

    def _eq(self, other):
        return _key(self) == _key(other) if other.__class__ is self.__class__ else NotImplemented

    def _hash(self):
        return hash(_key(self))

    def _repr(self):
        shown = (f"{name}={vars(self)[name]!r}" for name, field in self._value_fields.items() if field.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def _refuse(self, name, *value):
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot change field {name!r}")
