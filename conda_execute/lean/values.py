"""Values like those of `dataclasses`, without the cost of importing it.

`dataclass` of the standard library imports `inspect`, `ast` and `tokenize` and compiles four functions for each class:
a third of what a warm run through Python takes. The decorator here makes equivalent classes that read their fields when
a value is created, which is slower for millions of values but much faster for a process with a dozen. Type checkers see
the standard library's.

Only what this package uses is implemented: `dataclass`, plain or with `frozen=True`; `field` with `default`,
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
        """The declaration of one field."""

        def __init__(self, default=_MISSING, default_factory=_MISSING, compare=True, repr=True):  # noqa: A002
            self.default = default
            self.default_factory = default_factory
            self.compare = compare
            self.repr = repr

    field = _Field

    def replace(value, /, **changes):
        """The same value, except for these fields."""
        return type(value)(**{**vars(value), **changes})

    def dataclass(cls=None, /, *, frozen=False):
        if cls is None:
            return lambda cls: dataclass(cls, frozen=frozen)
        cls._value_fields = fields = _read_fields(cls)
        cls._value_compared = tuple(name for name, field in fields.items() if field.compare)
        # Each field in its order, as it is where nothing is given.
        cls._value_defaults = {name: field.default for name, field in fields.items()}
        cls._value_factories = {
            name: field.default_factory for name, field in fields.items() if field.default_factory is not _MISSING
        }
        # They come first, as in the standard library.
        cls._value_required = sum(field.default is field.default_factory is _MISSING for field in fields.values())
        cls.__match_args__ = tuple(cls._value_fields)
        cls.__init__ = _init
        cls.__eq__ = _eq
        # As in the standard library, mutable values have no hash.
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
            fields[name] = said if isinstance(said, _Field) else _Field(said)
            if isinstance(said, _Field):
                delattr(cls, name)
                if said.default is not _MISSING:
                    setattr(cls, name, said.default)
        return fields

    def _init(self, *values, **named):
        kind, own = type(self), vars(self)
        names, given = kind.__match_args__, len(values)
        # Past `__setattr__`, which a frozen value refuses.
        own.update(kind._value_defaults)
        own.update(zip(names, values))  # noqa: B905  fewer values than fields is what defaults are for
        own.update(named)
        needed = names[given : kind._value_required]
        if len(own) > len(names) or given > len(names) or not named.keys() >= set(needed):
            wrong = (
                ", ".join(sorted(own.keys() - kind._value_defaults or set(needed) - named.keys())) or "too many values"
            )
            raise TypeError(f"{kind.__name__} has no fields, or got no values for its fields: {wrong}")
        if given and not named.keys().isdisjoint(names[:given]):
            raise TypeError(f"{kind.__name__} got two values for one field")
        for name in kind._value_factories:
            if own[name] is _MISSING:
                own[name] = kind._value_factories[name]()

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
