"""The reader of settings held against conda's own configuration object, on a corpus of condarc files.

Runs where conda can be imported: by this interpreter, or by the one that CONDA_EXECUTE_TEST_CONDA_PYTHON names. Where
we differ on purpose, a test says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_execute.configuration.channels import resolve_channels
from conda_execute.configuration.settings import SEARCH_PATH, load
from conda_execute.errors import SettingsError
from conda_execute.model import Channel
from tests.oracle import conda_python

ORACLE = Path(__file__).parent / "oracle" / "conda_settings.py"

Question = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def conda(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Question]:
    """A function that asks one conda process, which is quick, what the settings are."""
    yield from _oracle(tmp_path_factory.mktemp("home"))


@pytest.fixture
def fresh_conda(tmp_path: Path) -> Iterator[Question]:
    """The same, asking a process of its own: conda keeps what it knows of channels when it is reset."""
    yield from _oracle(tmp_path)


def _oracle(home: Path) -> Iterator[Question]:
    process = subprocess.Popen(
        [conda_python(), str(ORACLE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=home,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def question(environ: dict[str, str], channels: Sequence[str], path: Sequence[str]) -> dict[str, Any]:
        asked = {"search_path": list(path), "environ": environ, "channels": list(channels)}
        print(json.dumps(asked), file=process.stdin, flush=True)
        assert process.stdout is not None
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    yield question
    process.stdin.close()
    process.wait(30)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name in ("home", "root", "active"):
        (tmp_path / name).mkdir()
    return tmp_path


def places(machine: Path, **environ: str) -> tuple[dict[str, str], list[str]]:
    """The environment of a process on the machine, and where both readers are to look there."""
    fixed = {
        "HOME": str(machine / "home"),
        "CONDA_ROOT": str(machine / "root"),
        "CONDA_PREFIX": str(machine / "active"),
        "PATH": os.environ["PATH"],
    }
    path = [entry for entry in SEARCH_PATH if not entry.startswith(("/etc", "/var", "C:"))]
    return {**fixed, **environ}, path


def ours(environ: dict[str, str], path: list[str]) -> dict[str, Any]:
    """Our settings in the form of conda's, defaults filled in as conda has them."""
    settings = load(environ, search_path=path)
    said = {name for name, _, _ in settings.origins}
    found: dict[str, Any] = {
        "channels": list(settings.channels) if "channels" in said else [],
        "channel_alias": settings.channel_alias,
        "channel_priority": settings.channel_priority,
        "client_ssl_cert": settings.client_ssl_cert,
        "client_ssl_cert_key": settings.client_ssl_cert_key,
        "exclude_newer": settings.exclude_newer or "",
        "custom_channels": dict(
            (("pkgs/pro", "https://repo.anaconda.com"),)
            if settings.custom_channels is None
            else settings.custom_channels
        ),
        "custom_multichannels": {name: list(urls) for name, urls in settings.custom_multichannels},
        "proxy_servers": dict(settings.proxy_servers),
        "subdir": settings.subdir or "",
    }
    if found["channels"] == ["conda-forge"] and not any(
        item == "conda-forge" for name, item, _ in settings.origins if name == "channels"
    ):
        found["channels"] = []
    for name in ("allowlist_channels", "denylist_channels", "pinned_packages", "disallowed_packages"):
        found[name] = list(getattr(settings, name))
    for name in (
        "offline",
        "override_channels_enabled",
        "remote_connect_timeout_secs",
        "remote_max_retries",
        "remote_read_timeout_secs",
        "ssl_verify",
        "add_anaconda_token",
        "repodata_use_zst",
        "repodata_use_shards",
    ):
        found[name] = getattr(settings, name)
    if settings.default_channels is not None:
        found["default_channels"] = list(settings.default_channels)
    return found


def test_files_are_looked_for_where_conda_looks() -> None:
    code = "import json; from conda.base.constants import SEARCH_PATH; print(json.dumps(SEARCH_PATH))"
    asked = subprocess.run([conda_python(), "-c", code], capture_output=True, text=True, check=True)
    assert [path.rstrip("/") for path in json.loads(asked.stdout)] == list(SEARCH_PATH)


FILES = ("root/.condarc", "root/condarc.d/10.yml", "home/.condarc", "active/.condarc")

#: What is in which file; the environment.
CORPUS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {}),
    "empty files": ({"root/.condarc": "", "home/.condarc": "# nothing\n", "active/.condarc": "---\n"}, {}),
    "lists": (
        {
            "root/.condarc": "channels:\n  - a\n  - b\n",
            "root/condarc.d/10.yml": "channels: [c, a]\n",
            "home/.condarc": "channels:\n- d\n",
        },
        {},
    ),
    "top and bottom": (
        {
            "root/.condarc": "channels:\n  - a  #!top\n  - b #!bottom\n  - c\n",
            "home/.condarc": "channels:\n  - d #!bottom\n  - e #!top\n  - f\n  - a\n",
            "active/.condarc": "channels:\n  - g\n  - b\n",
        },
        {},
    ),
    "both marks for one": (
        {"root/.condarc": "channels:\n  - a #!top\n  - b\n", "home/.condarc": "channels:\n  - a #!bottom\n  - c\n"},
        {},
    ),
    "final list": (
        {"root/.condarc": "channels: #!final\n  - a\n", "home/.condarc": "channels:\n  - b\n"},
        {"CONDA_CHANNELS": "c"},
    ),
    "final flow list": ({"root/.condarc": "channels: [a, b] #!final\n", "home/.condarc": "channels: [c]\n"}, {}),
    "final later": ({"root/.condarc": "channels: [a]\n", "home/.condarc": "channels: #!final\n  - b\n"}, {}),
    "final value": (
        {"root/.condarc": "offline: true #!final\nssl_verify: false\n", "home/.condarc": "offline: false\n"},
        {"CONDA_OFFLINE": "0"},
    ),
    "marks that mean nothing": (
        {"root/.condarc": "offline: true # final\nchannels:\n- a # top\n- b #! bottom\n- c #!middle\n"},
        {},
    ),
    "words that are no marks": (
        {
            "root/.condarc": "offline: true # final\nchannels: # final\n- a\n- b # top\n- c # !bottom\n- d\n",
            "home/.condarc": "offline: false\nchannels:\n- e\n- f # bottom\n- g\n",
        },
        {},
    ),
    "marks after a hash alone": (
        {"root/.condarc": "channels:\n- a\n- b #top\n", "home/.condarc": "channels: [c]\n"},
        {},
    ),
    "mappings": (
        {
            "root/.condarc": "custom_channels:\n  a: http://one\n  b: http://two #!final\n",
            "home/.condarc": "custom_channels:\n  a: http://three\n  b: http://four\n  c: http://five\n",
        },
        {},
    ),
    "final mapping": (
        {
            "root/.condarc": "custom_channels: #!final\n  a: http://one\n",
            "home/.condarc": "custom_channels: {b: http://x}\n",
        },
        {},
    ),
    "multi channels": (
        {
            "root/.condarc": "custom_multichannels:\n  m:\n    - a\n    - b #!top\n  n: [x]\n",
            "home/.condarc": "custom_multichannels:\n  m:\n    - c\n    - a\n  o: #!final\n    - z\n",
            "active/.condarc": "custom_multichannels:\n  o:\n    - y\n",
        },
        {},
    ),
    "default channels": ({"home/.condarc": "default_channels:\n  - http://one/main\n  - two\n"}, {}),
    "aliases": (
        {"home/.condarc": "channel: [a]\nwhitelist_channels: [b]\nverify_ssl: no\nadd_binstar_token: off\n"},
        {},
    ),
    "booleans": (
        {"home/.condarc": "offline: yes\nssl_verify: 'False'\nrepodata_use_zst: 0\nrepodata_use_shards: n\n"},
        {},
    ),
    "priority": ({"home/.condarc": "channel_priority: strict\n"}, {}),
    "priority as boolean": ({"home/.condarc": "channel_priority: false\n"}, {}),
    "priority as true": ({"home/.condarc": "channel_priority: yes\n"}, {}),
    "cooldown": ({"home/.condarc": "cooldown: 7d\n"}, {}),
    "numbers": (
        {"home/.condarc": "remote_connect_timeout_secs: 3\nremote_read_timeout_secs: 4.5\nremote_max_retries: 7\n"},
        {},
    ),
    "null": (
        {
            "root/.condarc": "channels: [a]\nproxy_servers: {http: x}\n",
            "home/.condarc": "channels: ~\nproxy_servers:\n",
        },
        {},
    ),
    "null takes back": (
        {
            "root/.condarc": "offline: true\nsubdir: ''\nclient_ssl_cert: /site.pem\noverride_channels_enabled: true\n",
            "home/.condarc": "offline:\nclient_ssl_cert: ~\noverride_channels_enabled:\nadd_anaconda_token: null\n",
        },
        {},
    ),
    "empty list": ({"root/.condarc": "channels: [a]\n", "home/.condarc": "channels: []\n"}, {}),
    "aliases of YAML": (
        {
            "root/.condarc": "sites: &sites [a, b]\nchannels: &mine\n- c #!top\n- &d d\nallowlist_channels: *mine\n"
            "denylist_channels: *sites\ndefault_channels: [*d, e]\n",
            "home/.condarc": "custom: &custom {a: http://a}\ncustom_channels: *custom\nchannels: [f]\n",
        },
        {},
    ),
    "blanks": ({"home/.condarc": "proxy_servers: {http: ' http://p ', https: 'None '}\nclient_ssl_cert: ' /x '\n"}, {}),
    "proxies": ({"home/.condarc": "proxy_servers:\n  http: http://p:1\n  https: ~\n  'http://h': none\n"}, {}),
    "expansion": (
        {
            "home/.condarc": "channels: ['$ONE/x', '${TWO}', '$NONE', a$]\nchannel_alias: $ALIAS\n"
            "custom_channels: {a: '$ALIAS/b'}\nproxy_servers: {http: 'http://$ONE:${TWO}@p'}\nsubdir: $ONE\n"
        },
        {"ONE": "1", "TWO": "2", "ALIAS": "https://alias.example"},
    ),
    "variables": (
        {"home/.condarc": "channels: [a]\nsubdir: osx-64\n"},
        {
            "CONDA_CHANNELS": "b, c,,d",
            "CONDA_SUBDIR": "linux-aarch64",
            "CONDA_CHANNEL_PRIORITY": "disabled",
            "CONDA_SSL_VERIFY": "off",
            "CONDA_REMOTE_MAX_RETRIES": "9",
            "CONDA_REMOTE_READ_TIMEOUT_SECS": "2",
            "CONDA_CHANNEL_ALIAS": "http://v.example",
            "CONDA_DENYLIST_CHANNELS": "x,y!important",
            "CONDA_DEFAULT_CHANNELS": "http://h/one",
            "CONDA_OFFLINE": "true!important",
        },
    ),
    "an empty boolean variable": ({"home/.condarc": "offline: true\n"}, {"CONDA_OFFLINE": ""}),
    "foreign keys": (
        {"home/.condarc": "envs_dirs: [/x]\nplugins:\n  other: [1, {a: b}]\nmy_own: {a: [b]}\n"},
        {},
    ),
    "quotes and comments": (
        {"home/.condarc": "# first\nchannels:  # mine\n  # second\n  - 'a'\n  - \"b\" # last\n\n  - c\n# end\n"},
        {},
    ),
    "numbers as channels": ({"home/.condarc": "channels: [main, '3.10', 1]\n"}, {}),
    "a platform, and a variable that takes it back": ({"home/.condarc": "subdir: osx-64\n"}, {"CONDA_SUBDIR": ""}),
    "lists of a site": (
        {
            "root/.condarc": "allowlist_channels:\n  - a #!final\n  - b\ndenylist_channels: #!final\n  - c\n",
            "home/.condarc": "allowlist_channels: [d]\ndenylist_channels: [e]\n",
        },
        {},
    ),
    "windows line ends": (
        {"home/.condarc": "channels:\r\n  - a #!top\r\n  - b\r\n", "root/.condarc": "channels: [c]\r\n"},
        {},
    ),
}

CHANNELS = (
    # Longer names first: conda takes the name of a part that it has named before for that of the whole.
    *("mine/label/x", "mine", "conda-forge", "conda-forge/label/dev", "defaults", "a/b/c", "pair"),
    *("https://conda.anaconda.org/conda-forge", "https://conda.anaconda.org/t/tk-1-2/conda-forge/label/x"),
    *("https://u:p@host.example:8080/x/y", "http://host.example/conda/x", "https://host.example"),
    *("file:///srv/channel", "/srv/channel", "file:///srv/a%20b"),
)

SUBDIR = "linux-64"

CHANNEL_SETTINGS = {
    "nothing": "",
    "alias": "channel_alias: https://me:word@alias.example/t/tk-77/api\n",
    "custom": "custom_channels:\n  mine: http://host.example:1/base\n  a/b: https://u:p@other.example/t/tk-5\n",
    "multi": "custom_multichannels:\n  pair: [https://one.example/first, two]\n",
    "multi defaults": "custom_multichannels: {defaults: ['https://d.example/one']}\n",
    "default": "default_channels: ['https://d.example/one', second]\n",
}


@pytest.mark.parametrize("name", CORPUS)
def test_settings_mean_what_they_mean_to_conda(conda: Question, machine: Path, name: str) -> None:
    files, variables = CORPUS[name]
    write(machine, files)
    environ, path = places(machine, **variables)
    theirs = conda(environ, [], path)
    assert "error" not in theirs
    assert_same(ours(environ, path), theirs["settings"])


def write(machine: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_bytes(text.encode())


def assert_same(found: dict[str, Any], theirs: dict[str, Any]) -> None:
    if theirs["channels"] == ["defaults"] and not found["channels"]:
        theirs["channels"] = []  # what an old conda has where nothing is configured
    assert {key: value for key, value in found.items() if key in theirs} == {
        key: value for key, value in theirs.items() if key in found
    }


# --- Files that nobody thought of

#: What may stand behind a value. A plain comment that says "final" is no mark.
_marks = st.sampled_from(
    ["", "", "", "  #!final", " #!top", " #!bottom", " # final", " # top", " #!FINAL", " #! bottom"]
)
_words = st.sampled_from(
    [
        *("conda-forge", "a", "b", "c", "'q'", '"dq"', "$ONE", "${TWO}/x", "$NONE", "ü", "1", "a#b", "a b"),
        *("https://u:p@h.example/x", "https://h.example/t/tk-1/y", "file:///srv/x", "'multi\n    line'"),
        *("|\n      block", "&x d"),
    ]
)
_booleans = st.sampled_from(
    ["true", "false", "yes", "No", "ON", "off", "'True'", "1", "0", "n", "''", "~", "", "perhaps"]
)
_breaks = st.sampled_from(["\n", "\n", "\n\n"])
_LISTS = (
    "channels",
    "channel",
    "default_channels",
    "pinned_packages",
    "disallowed_packages",
    "denylist_channels",
    "allowlist_channels",
)
_MAPPINGS = ("custom_channels", "proxy_servers")
_SINGLE = {
    "channel_alias": st.sampled_from(["https://x.example", "http://$ONE.example/a", "https://h/t/tok/", "a"]),
    "channel_priority": st.sampled_from(["strict", "flexible", "disabled", "'true'", "no", "high"]),
    "remote_max_retries": st.sampled_from(["3", "0", "'4'", "many", "[1]"]),
    "remote_read_timeout_secs": st.sampled_from(["3", "4.5", "'5'", ".5", "long"]),
    "ssl_verify": st.sampled_from(["true", "no", "truststore", "/", "'False'", "/no/such/file", "0", "$ONE"]),
    "verify_ssl": _booleans.filter(lambda text: text not in ("", "~")),
    "exclude_newer": st.sampled_from(["7d", "'30d'"]),
    "subdir": st.sampled_from(["linux-64", "'osx-64'", "''"]),
    "client_ssl_cert": st.sampled_from(["/x.pem", "$ONE/y", "~"]),
    **dict.fromkeys(
        ("offline", "override_channels_enabled", "add_anaconda_token", "repodata_use_zst", "repodata_use_shards"),
        _booleans,
    ),
}


@st.composite
def _list(draw: st.DrawFn, indent: str = "", fewest: int = 0) -> str:
    if draw(st.integers(0, 3)) == 0:
        plain = st.sampled_from(["a", "b", "'q'", "$ONE", "conda-forge"])
        return f" [{', '.join(draw(st.lists(plain, max_size=3)))}]{draw(_marks)}{draw(_breaks)}"
    items = draw(st.lists(st.tuples(_words | st.just("[a]"), _marks, _breaks), min_size=fewest, max_size=4))
    return draw(_marks) + draw(_breaks) + "".join(f"{indent}- {word}{mark}{end}" for word, mark, end in items)


@st.composite
def _setting(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["list", "mapping", "multi", "single", "single", "wrong", "foreign"]))
    if kind == "list":
        return f"{draw(st.sampled_from(_LISTS))}:{draw(_list())}"
    if kind == "mapping":
        keys = draw(st.lists(st.sampled_from(["a", "b", "http", "pkgs/x", "1"]), max_size=3, unique=True))
        lines = "".join(f"  {key}: {draw(_words)}{draw(_marks)}{draw(_breaks)}" for key in keys)
        return f"{draw(st.sampled_from(_MAPPINGS))}:{draw(_marks)}\n{lines}"
    if kind == "multi":
        keys = draw(st.lists(st.sampled_from(["m", "n", "defaults"]), max_size=2, unique=True))
        return f"custom_multichannels:{draw(_marks)}\n" + "".join(f"  {key}:{draw(_list('    ', 1))}" for key in keys)
    if kind == "single":
        name = draw(st.sampled_from(sorted(_SINGLE)))
        return f"{name}: {draw(_SINGLE[name])}{draw(_marks)}{draw(_breaks)}"
    if kind == "wrong":
        name = draw(st.sampled_from([*_LISTS, *_MAPPINGS, "custom_multichannels"]))
        return f"{name}: {draw(st.sampled_from(['a', '', '~', '{a: b}', '[]', '[[a]]']))}\n"
    return draw(st.sampled_from(["envs_dirs: [/x]\n", "plugins:\n  other: {a: [b]}\n", "x: 1\n", "# more\n"]))


@st.composite
def _file(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "", "\ufeff", "---\n", "# ours\n"])) + "".join(
        draw(st.lists(_setting(), max_size=4))
    )
    return text.replace("\n", draw(st.sampled_from(["\n", "\n", "\r\n"])))


_variables = st.fixed_dictionaries(
    {"ONE": st.just("1"), "TWO": st.just("two")},
    optional={
        "CONDA_CHANNELS": st.sampled_from(["a,b", "a & b", "", "a, ,b", "a,b!important", "a!important,b"]),
        "CONDA_OFFLINE": st.sampled_from(["1", "yes", "", "no", "x"]),
        "CONDA_SSL_VERIFY": st.sampled_from(["0", "/", "no", "true"]),
        "CONDA_SUBDIR": st.sampled_from(["osx-64", ""]),
        "CONDA_CHANNEL_PRIORITY": st.sampled_from(["strict", "True", "no"]),
        "CONDA_PROXY_SERVERS": st.sampled_from(["a"]),
    },
)

_PLACES = (*FILES, "root/condarc", "root/condarc.d/20.yaml", "home/.config/conda/condarc", "home/.conda/.condarc")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(files=st.dictionaries(st.sampled_from(_PLACES), _file(), max_size=4), variables=_variables)
def test_any_files_mean_what_they_mean_to_conda_or_are_refused_by_both(
    conda: Question, machine: Path, files: dict[str, str], variables: dict[str, str]
) -> None:
    for place in _PLACES:
        (machine / place).unlink(missing_ok=True)
    write(machine, files)
    environ, path = places(machine, **variables)
    theirs = conda(environ, [], path)
    if "denylist_channels" not in theirs.get("settings", {"denylist_channels": ()}):
        pytest.skip("this conda is too old to know every setting")
    if "error" in theirs:
        with pytest.raises(SettingsError):
            load(environ, search_path=path)
    else:
        assert_same(ours(environ, path), theirs["settings"])


@pytest.mark.parametrize("name", CHANNEL_SETTINGS)
@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
def test_channels_are_what_they_are_to_conda(fresh_conda: Question, machine: Path, name: str) -> None:
    (machine / "home/.condarc").write_text(CHANNEL_SETTINGS[name])
    environ, path = places(machine)
    theirs = fresh_conda(environ, CHANNELS, path)["channels"]
    settings = load(environ, search_path=path)
    found = {channel: resolve_channels([channel], settings)[0] for channel in CHANNELS}
    if name == "multi defaults" and len(theirs["defaults"][1]) > 1:
        pytest.skip("this conda is too old to let a multi channel be called `defaults`")
    assert {channel: _shown(one) for channel, one in found.items()} == {
        channel: _decoded(canonical, *(url.rstrip("/") for url in urls), opened[0])
        for channel, (canonical, urls, opened) in theirs.items()
    }


def _shown(channel: Channel) -> list[str]:
    """Name, URLs, and the first URL with its secrets and a subdir, as conda writes them."""
    opened = dict(channel.secrets).get(channel.urls[0], channel.urls[0])
    return _decoded(channel.name, *channel.urls, f"{opened}/{SUBDIR}")


def _decoded(*texts: str) -> list[str]:
    """Some versions of conda show paths decoded, some do not."""
    return [text.replace("%20", " ") for text in texts]


REFUSED_BY_BOTH = {
    "string for a list": "channels: conda-forge\n",
    "list for a mapping": "custom_channels: [a]\n",
    "priority": "channel_priority: high\n",
    "boolean": "offline: perhaps\n",
    "alias without scheme": "channel_alias: conda.example\n",
    "certificates": "ssl_verify: /no/such/file\n",
    "two names": "channels: [a]\nchannel: [b]\n",
    "retries": "remote_max_retries: many\n",
}


@pytest.mark.parametrize("name", REFUSED_BY_BOTH)
def test_what_conda_refuses_is_refused(conda: Question, machine: Path, name: str) -> None:
    (machine / "home/.condarc").write_text(REFUSED_BY_BOTH[name])
    environ, path = places(machine)
    assert "error" in conda(environ, [], path)
    with pytest.raises(SettingsError):
        load(environ, search_path=path)


# --- Where we differ, and why


def test_a_member_of_a_multi_channel_keeps_its_name(fresh_conda: Question, machine: Path) -> None:
    """To conda `pkgs/main` is called `defaults`; but one of two channels is not both of them."""
    environ, path = places(machine)
    assert fresh_conda(environ, ["pkgs/main"], path)["channels"]["pkgs/main"][0] == "defaults"
    assert resolve_channels(["pkgs/main"], load(environ, search_path=path))[0].name == "pkgs/main"


def test_a_url_elsewhere_does_not_borrow_a_name(fresh_conda: Question, machine: Path) -> None:
    """To conda any URL whose path ends like a custom channel has its name."""
    (machine / "home/.condarc").write_text("custom_channels: {mine: 'https://good.example'}\n")
    environ, path = places(machine)
    url = "https://other.example/mine"
    assert fresh_conda(environ, [url], path)["channels"][url][0] == "mine"
    assert resolve_channels([url], load(environ, search_path=path))[0].name == url


def test_a_file_that_is_no_yaml_is_refused(fresh_conda: Question, machine: Path) -> None:
    """conda warns and goes on without it, and so without the channels that the file denies."""
    (machine / "home/.condarc").write_text("denylist_channels: [a\noffline: 'x\n")
    environ, path = places(machine)
    assert "error" not in fresh_conda(environ, [], path)
    with pytest.raises(SettingsError, match="not valid YAML"):
        load(environ, search_path=path)


def test_a_mark_counts_whatever_is_in_the_line_below(fresh_conda: Question, machine: Path) -> None:
    """conda takes a comment in the next line for a part of the mark, and does not know it any more."""
    write(
        machine,
        {
            "root/.condarc": "denylist_channels: #!final\n  # the vendor's\n  - a\noffline: true #!final\n# for good\n",
            "home/.condarc": "denylist_channels: [b]\noffline: false\n",
        },
    )
    environ, path = places(machine)
    assert fresh_conda(environ, [], path)["settings"]["offline"] is False
    settings = load(environ, search_path=path)
    assert (settings.offline, settings.denylist_channels) == (True, ("a",))


@pytest.mark.parametrize("text", ["ssl_verify:\n", "ssl_verify: ~\n"])
def test_an_empty_ssl_verify_switches_nothing_off(fresh_conda: Question, machine: Path, text: str) -> None:
    """To conda nothing is false, and certificates are not looked at any more."""
    (machine / "home/.condarc").write_text(text)
    for environ, path in (places(machine), places(machine, CONDA_SSL_VERIFY="")):
        assert fresh_conda(environ, [], path)["settings"]["ssl_verify"] is False
        assert load(environ, search_path=path).ssl_verify is True


@pytest.mark.parametrize("text", ["channels: [~]\n", "custom_multichannels: {a: }\n", "remote_max_retries: -1\n"])
def test_what_conda_makes_little_sense_of_is_refused(fresh_conda: Question, machine: Path, text: str) -> None:
    (machine / "home/.condarc").write_text(text)
    environ, path = places(machine)
    assert "error" not in fresh_conda(environ, [], path)
    with pytest.raises(SettingsError):
        load(environ, search_path=path)


def test_without_channels_there_is_conda_forge(fresh_conda: Question, machine: Path) -> None:
    environ, path = places(machine)
    assert fresh_conda(environ, [], path)["settings"]["channels"] in ([], ["defaults"])
    assert load(environ, search_path=path).channels == ("conda-forge",)
