"""Laws of the environment's name."""

from __future__ import annotations

import hashlib

import pytest
import rattler.exceptions
from hypothesis import given
from hypothesis import strategies as st
from rattler.exceptions import InvalidMatchSpecError

from conda_execute.configuration.declared import Settings
from conda_execute.environments.name import NAME_LENGTH, canonical_text
from conda_execute.environments.name import environment_name as name
from conda_execute.lean.values import replace
from conda_execute.model import Channel, Request
from conda_execute.resolve import resolve
from conda_execute.script.header.keys import Header
from conda_execute.specs.match_spec import normalise_spec, spec_name

SEED = Request(
    specs=("python >=3", "numpy"),
    channels=(Channel("conda-forge", ("https://conda.anaconda.org/conda-forge",)),),
    platform="linux-64",
    host_platform="linux-64",
)

versions = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True)
blanks = st.sampled_from(["", " ", "  ", "\t"])
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)


@st.composite
def clauses(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from([">=", "<=", "<", ">", "==", "!=", "~="]))
    version = draw(versions)
    if operator == "~=":
        version = f"{version.split('.')[0]}.{draw(st.integers(0, 9))}"
    return operator + draw(blanks) + version


@st.composite
def match_specs(draw: st.DrawFn) -> str:
    """Specs in the forms that people write, with spaces where people put them."""
    package = draw(names)
    if draw(st.booleans()):
        package = draw(st.sampled_from(["conda-forge::", "bioconda/linux-64::"])) + package
    form = draw(st.sampled_from(["bare", "range", "exact", "fuzzy", "build", "bracket"]))
    version, blank = draw(versions), draw(blanks)
    if form == "range":
        joint = draw(blanks) + draw(st.sampled_from([",", "|"])) + draw(blanks)
        return package + blank + joint.join(draw(st.lists(clauses(), min_size=1, max_size=3)))
    return {
        "bare": package + blank,
        "exact": f"{package} {blank}{version}",
        "fuzzy": f"{package}{blank}={version}",
        "build": f"{package} {version} {blank}py3_0",
        "bracket": f"{package}[version='>={version}']",
    }[form]


def test_name_of_the_seed_is_what_the_seed_prints() -> None:
    """`python >=3` and `numpy` on the default channel: the vector of 2015."""
    assert name(SEED) == "ea977067a8fbeb21a594"


def test_name_is_the_hash_of_the_text_that_the_marker_keeps() -> None:
    assert name(SEED) == hashlib.sha256(canonical_text(SEED).encode()).hexdigest()[:NAME_LENGTH]


@given(st.permutations(["python >=3", "numpy", "scipy", "pandas <3"]))
def test_name_ignores_spec_order(specs: list[str]) -> None:
    assert name(replace(SEED, specs=tuple(specs))) == name(replace(SEED, specs=tuple(sorted(specs))))


@pytest.mark.parametrize(
    "specs",
    [("numpy", "python >=3", "numpy"), ("NumPy", "python>=3"), ("numpy", "Python  >= 3"), ("\tnumpy ", "python >=3")],
    ids=["duplicate", "case", "blanks", "ends"],
)
def test_name_ignores_how_a_spec_is_spelt(specs: tuple[str, ...]) -> None:
    assert name(replace(SEED, specs=specs)) == name(SEED)


@pytest.mark.parametrize("spec", ["python*", "numpy1.26.*", "conda-forge::py*", "numpy(>=1)", "numpy@1"])
def test_a_name_that_is_none_is_not_made_one(spec: str) -> None:
    """`python *` would be solved instead, and found."""
    assert normalise_spec(spec) == spec


def test_name_changes_with_channel_order() -> None:
    forge, bio = Channel("conda-forge", ()), Channel("bioconda", ())
    assert name(replace(SEED, channels=(forge, bio))) != name(replace(SEED, channels=(bio, forge)))


def test_name_ignores_what_a_channel_resolves_to() -> None:
    assert name(replace(SEED, channels=(Channel("conda-forge", ("file:///mirror",)),))) == name(SEED)


@pytest.mark.parametrize(
    "change",
    [
        {"specs": ("python >=3", "numpy", "scipy")},
        {"specs": ("python =3", "numpy")},
        {"channels": (Channel("conda-forge", ()), Channel("bioconda", ()))},
        {"channels": ()},
        {"pypi": ("rich",)},
        {"pypi": ("rich",), "uv": "{}"},
        {"exclude_newer": "2026-01-01"},
        {"pypi_exclude_newer": "2026-01-01"},
        {"platform": "osx-arm64"},
        {"lock": "0" * 64},
        {"channel_priority": "strict"},
        {"constraints": ("numpy <2",)},
        {"overrides": (("CONDA_OVERRIDE_CUDA", "12.0"),)},
        {"link_scripts": False},
    ],
    ids=lambda change: "+".join(change) + "=" + str(next(iter(change.values())))[:24],
)
def test_name_changes_with_all_that_changes_what_is_installed(change: dict[str, object]) -> None:
    assert name(replace(SEED, **change)) != name(SEED)  # type: ignore[arg-type]


def test_no_two_fields_can_be_mistaken_for_each_other() -> None:
    """The same text in another field is another environment."""
    fields: list[dict[str, object]] = [
        {"pypi": ("x",)},
        {"uv": "x"},
        {"exclude_newer": "x"},
        {"pypi_exclude_newer": "x"},
        {"platform": "x"},
        {"lock": "x"},
        {"channel_priority": "x"},
        {"constraints": ("x",)},
        {"overrides": (("x", "x"),)},
        {"channels": (Channel("x", ()),)},
        {"specs": (*SEED.specs, "x")},
    ]
    assert len({name(replace(SEED, **field)) for field in fields}) == len(fields)  # type: ignore[arg-type]


@given(match_specs())
def test_normalised_specs_mean_what_was_written(spec: str) -> None:
    """py-rattler's parser is the oracle."""
    from rattler import MatchSpec

    assert str(MatchSpec(normalise_spec(spec))) == str(MatchSpec(spec.strip()))


@given(st.one_of(match_specs(), st.text(max_size=40)))
def test_normalising_twice_changes_nothing(spec: str) -> None:
    assert normalise_spec(normalise_spec(spec)) == normalise_spec(spec)


@given(match_specs())
def test_a_spec_is_about_the_package_that_the_engine_sees(spec: str) -> None:
    from rattler import MatchSpec

    package = MatchSpec(spec.strip()).name
    assert package is not None
    assert spec_name(normalise_spec(spec)) == str(getattr(package, "normalized", package))


@pytest.mark.parametrize(
    "spec",
    [
        "https://example.org/linux-64/numpy-1.8.1-py39_0.tar.bz2",
        "/srv/numpy-1.8.1-py39_0.conda",
        "file:///srv/Numpy.conda",
    ],
)
def test_urls_and_paths_are_left_as_they_are(spec: str) -> None:
    assert normalise_spec(spec) == spec


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_has_a_name(spec: str, other: str) -> None:
    """A name is 20 hex digits whatever the header says; whether the specs parse is the engine's to say."""
    found = name(replace(SEED, specs=(spec.encode("utf-8", "replace").decode(), "python")))
    assert len(found) == NAME_LENGTH
    assert set(found) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("https://x.org/noarch/numpy-1.0-0.conda", "numpy"),
        ("https://x.org/noarch/ca-certificates-2024.1-py_0.tar.bz2#" + "0" * 32, "ca-certificates"),
        ("file:///chan/noarch/numpy-1.0-0.conda", "numpy"),
        ("conda-forge:ns:numpy", "numpy"),
        ("conda-forge::NumPy >=1", "numpy"),
        ("conda-forge/linux-64::numpy", "numpy"),
        ("https://x.org/chan::numpy =1", "numpy"),
        ("numpy[version='>=1',url='https://x.org/a-1-0.conda']", "numpy"),
        ("numpy>=1", "numpy"),
        ("__cuda >=12", "__cuda"),
    ],
)
def test_every_reader_of_a_spec_sees_the_package_that_the_engine_sees(spec: str, name: str) -> None:
    """Four readers took the first of these for `https`, nothing, all of it, and `numpy`."""
    assert spec_name(spec) == name
    if name != "__cuda" and "ns:" not in spec:
        assert str(rattler.MatchSpec(spec, strict=False).name.normalized) == name


@given(match_specs())
def test_a_written_spec_is_about_the_package_that_the_engine_sees(spec: str) -> None:
    try:
        name = rattler.MatchSpec(spec, strict=False).name
    except InvalidMatchSpecError:
        return
    assert spec_name(spec) == str(name.normalized)


def test_python_given_as_an_archive_is_the_python_of_its_pypi_packages() -> None:
    """A second `python` was asked for beside it."""
    header = Header("x", specs=("https://x.org/noarch/python-3.11.0-0.conda",), pypi=("rich",))
    assert resolve(header, Settings(), environ={}).specs == header.specs
