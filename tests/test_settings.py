"""The reader of configuration: which files count, how they are merged, and what is said about mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conda_execute.configuration.declared import CONDAS, OURS, Setting, Settings
from conda_execute.configuration.settings import SEARCH_PATH, load
from conda_execute.errors import SettingsError
from conda_execute.terminal.errors import render


class Machine:
    """A home, a root prefix and an active prefix in a directory, and the environment of a process there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.root, self.active = folder / "home", folder / "root", folder / "active"
        self.environ: dict[str, str] = {"HOME": str(self.home), "CONDA_ROOT": str(self.root)}
        for directory in (self.home, self.root, self.active):
            directory.mkdir()

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def load(self, **environ: str) -> Settings:
        # /etc and /var are not ours to write: their places stand in for them.
        path = [entry for entry in SEARCH_PATH if not entry.startswith(("/etc", "/var", "C:"))]
        return load({**self.environ, **environ}, prefix=str(self.folder / "python"), search_path=path)

    def refused(self, text: str, **environ: str) -> str:
        self.write("home/.condarc", text)
        with pytest.raises(SettingsError) as caught:
            self.load(**environ)
        return render(caught.value).replace(str(self.folder), "")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_configured_means_conda_forge_alone(machine: Machine) -> None:
    settings = machine.load()
    assert settings == Settings()
    assert settings.channels == ("conda-forge",)
    assert settings.remove_if_unused_for == timedelta(hours=25)


PLACES = [
    "root/.condarc",
    "root/condarc",
    "root/condarc.d/a.yml",
    "root/condarc.d/b.yaml",
    "xdg/conda/.condarc",
    "xdg/conda/condarc",
    "xdg/conda/condarc.d/a.yml",
    "home/.config/conda/.condarc",
    "home/.config/conda/condarc",
    "home/.config/conda/condarc.d/a.yml",
    "home/.conda/.condarc",
    "home/.conda/condarc",
    "home/.conda/condarc.d/a.yml",
    "home/.condarc",
    "active/.condarc",
    "active/condarc",
    "active/condarc.d/a.yml",
    "elsewhere/mine.yml",
]


def test_every_documented_place_is_read_and_a_later_one_wins(machine: Machine) -> None:
    environ = {
        "XDG_CONFIG_HOME": str(machine.folder / "xdg"),
        "CONDA_PREFIX": str(machine.active),
        "CONDARC": str(machine.folder / "elsewhere" / "mine.yml"),
    }
    for place in PLACES:
        machine.write(place, f"subdir: {place}\nchannels: [{place}]\n")
        assert machine.load(**environ).subdir == place
    settings = machine.load(**environ)
    assert settings.channels == tuple(reversed(PLACES))
    read = [
        Path(path).relative_to(machine.folder).as_posix() for path, data in settings.sources.files if data is not None
    ]
    assert read == PLACES
    assert machine.load(**environ, CONDA_SUBDIR="last").subdir == "last"


def test_system_places_come_first() -> None:
    if sys.platform == "win32":
        assert SEARCH_PATH[0] == "C:/ProgramData/conda/.condarc"
    else:
        assert SEARCH_PATH[0] == "/etc/conda/.condarc"
        assert SEARCH_PATH[5] == "/var/lib/conda/condarc.d"


@pytest.mark.parametrize("name", ["notes.txt", "condarc.bak", "my.conf"])
def test_a_file_of_another_name_is_not_read(machine: Machine, name: str) -> None:
    machine.write(f"home/.conda/condarc.d/{name}", "subdir: wrong")
    assert machine.load(CONDARC=str(machine.write(name, "subdir: wrong"))).subdir is None


def test_the_root_prefix_is_the_one_this_python_runs_in_or_else_the_one_of_the_shell(machine: Machine) -> None:
    del machine.environ["CONDA_ROOT"]
    shell = machine.folder / "shell"
    for prefix in (shell, machine.folder / "python"):
        (prefix / "conda-meta").mkdir(parents=True)
        (prefix / ".condarc").write_text(f"subdir: {prefix.name}")
    conda_exe = str(shell / "bin" / "conda")
    assert machine.load().root_prefix is None
    assert machine.load(CONDA_EXE=conda_exe).subdir == "shell"
    program = "Scripts/conda.exe" if sys.platform == "win32" else "bin/conda"
    machine.write(f"python/{program}", "")
    assert machine.load(CONDA_EXE=conda_exe).subdir == "python"
    assert machine.load(CONDA_EXE=conda_exe, CONDA_ROOT=str(shell)).subdir == "shell"


# --- Merging


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param("channels: [a, b]", "channels: [c, a]", ("c", "a", "b"), id="later-in-front-no-duplicates"),
        pytest.param("channels: #!final\n- a", "channels: [b]", ("a",), id="final-ends-it"),
        pytest.param("channels:\n- a\n- b #!top", "channels: [c]", ("b", "c", "a"), id="top"),
        pytest.param("channels: [a]", "channels:\n- b #!bottom\n- c", ("c", "a", "b"), id="bottom"),
        pytest.param("channels:\n- a #!bottom", "channels:\n- b #!bottom", ("b", "a"), id="earlier-bottom-is-lowest"),
        pytest.param("channels: [a] #!final", "channels: [b]", ("a",), id="final-after-a-flow-list"),
        pytest.param("channels: [a]", "channels: ~", ("a",), id="null-says-nothing"),
        pytest.param("channels: [a]", "channels: []", ("a",), id="empty-says-nothing"),
        pytest.param("channels: []", "", ("conda-forge",), id="empty-alone-is-the-default"),
        pytest.param("channel: [a]", "channels: [b]", ("b", "a"), id="alias"),
        pytest.param("channels: [a #!top\n]\nx: [c, d] #!top", "channels: [b]", ("a", "b"), id="mark-in-a-flow-list"),
        pytest.param("x: |\n  a\nchannels: #!final\n- a", "channels: [b]", ("a",), id="mark-after-a-block"),
        pytest.param("channels: ['a # b']", "channels: [b]", ("b", "a # b"), id="a-mark-is-a-comment"),
    ],
)
def test_lists_merge(machine: Machine, first: str, second: str, expected: tuple[str, ...]) -> None:
    machine.write("root/.condarc", first)
    machine.write("home/.condarc", second)
    assert machine.load().channels == expected


def test_a_single_value_is_the_last_one_unless_an_earlier_is_final(machine: Machine) -> None:
    machine.write("root/.condarc", "offline: true")
    machine.write("home/.condarc", "offline: false")
    assert machine.load().offline is False
    machine.write("root/.condarc", "offline: true #!final")
    assert machine.load().offline is True
    assert machine.load(CONDA_OFFLINE="false").offline is True


def test_mappings_merge_key_by_key(machine: Machine) -> None:
    machine.write("root/.condarc", "custom_channels:\n  a: http://one\n  b: http://one #!final\n")
    machine.write("home/.condarc", "custom_channels:\n  a: http://two\n  b: http://two\n  c: http://two\n")
    expected = {"a": "http://two", "b": "http://one", "c": "http://two"}
    assert dict(machine.load().custom_channels or ()) == expected
    machine.write("root/.condarc", "custom_multichannels:\n  m: [a]\n")
    machine.write("home/.condarc", "custom_multichannels:\n  m: [b]\n")
    assert machine.load().custom_multichannels == (("m", ("b", "a")),)


def test_variables_in_values_are_replaced_and_recorded(machine: Machine) -> None:
    machine.write("home/.condarc", "channels: ['$A/x', '${B}', $MISSING]\nsubdir: $A\n")
    settings = machine.load(A="http://h", B="b")
    assert settings.channels == ("http://h/x", "b", "$MISSING")
    assert settings.subdir == "$A", "conda expands no variables there"
    consulted = dict(settings.sources.variables)
    assert (consulted["A"], consulted["MISSING"]) == ("http://h", None)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("CONDA_CHANNELS", "a, b,", "channels", ("a", "b")),
        ("CONDA_CHANNEL_PRIORITY", "Strict", "channel_priority", "strict"),
        ("CONDA_OFFLINE", "1", "offline", True),
        ("CONDA_OFFLINE", "", "offline", False),
        ("CONDA_SUBDIR", "osx-64", "subdir", "osx-64"),
        ("CONDA_EXCLUDE_NEWER", "2024-05-01", "exclude_newer", "2024-05-01"),
        ("CONDA_COOLDOWN", "60", "exclude_newer", "60 seconds"),
        ("CONDA_SSL_VERIFY", "no", "ssl_verify", False),
        ("CONDA_REMOTE_READ_TIMEOUT_SECS", "5.5", "remote_read_timeout_secs", 5.5),
        ("CONDA_REMOTE_MAX_RETRIES", "7!important", "remote_max_retries", 7),
        ("CONDA_EXECUTE_ENV_DIR", "~/e", "env_dir", "{home}/e"),
        ("CONDA_EXECUTE_REMOVE_IF_UNUSED_FOR", "0.5", "remove_if_unused_for", timedelta(minutes=30)),
        ("CONDA_EXECUTE_FOREIGN_USE_TTL", "2", "foreign_use_ttl", timedelta(days=2)),
        ("CONDA_PLUGINS_CONDA_EXECUTE_BACKEND", "conda", "backend", "conda"),
        ("CONDA_EXECUTE_AUTO_CLEAN", "off", "auto_clean", False),
        ("CONDA_EXECUTE_RUN_LINK_SCRIPTS", "false", "run_link_scripts", False),
        ("CONDA_EXECUTE_TRUSTED_GROUPS", "lab,staff", "trusted_groups", ("lab", "staff")),
        ("CONDA_EXECUTE_TRUSTED_URLS", "https://a/,https://b/", "trusted_urls", ("https://a/", "https://b/")),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("CONDA") else "",
)
def test_environment_variables_set(machine: Machine, name: str, text: str, field: str, value: object) -> None:
    settings = machine.load(**{name: text})
    if isinstance(value, str):
        value = value.format(home=machine.home)
    assert getattr(settings, field) == value
    assert dict(settings.sources.variables)[name] == text


@pytest.mark.parametrize(
    "text",
    [
        "plugins:\n  conda_execute_env_dir: /e\n  conda_execute_auto_clean: no\n  other_plugin: [1]\n",
        "conda-execute:\n  env-dir: /e\n  auto-clean: 'false'\n",
        "conda-execute: {env_dir: /e, auto_clean: 0}\n",
        "plugins: {conda_execute_env_dir: /e}\nconda-execute:\n  auto-clean: off\n",
    ],
    ids=["plugins", "original", "original-flow", "both"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="/e is not absolute on Windows")
def test_our_settings_are_read_in_both_spellings(machine: Machine, text: str) -> None:
    machine.write("home/.condarc", text)
    settings = machine.load()
    assert (settings.env_dir, settings.auto_clean) == ("/e", False)


def test_our_own_variable_beats_every_file(machine: Machine) -> None:
    machine.write("home/.condarc", "plugins:\n  conda_execute_remove_if_unused_for: 3\n")
    assert machine.load().remove_if_unused_for == timedelta(hours=3)
    settings = machine.load(
        CONDA_EXECUTE_REMOVE_IF_UNUSED_FOR="1", CONDA_PLUGINS_CONDA_EXECUTE_REMOVE_IF_UNUSED_FOR="2"
    )
    assert settings.remove_if_unused_for == timedelta(hours=1)


# --- Mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "offline: no\nchannels: conda-forge # mine\n",
            "error: `channels` must be a list, found `conda-forge`\n"
            "  /home/.condarc:2:11\n"
            "  2 | channels: conda-forge # mine\n"
            "                ^^^^^^^^^^^\n"
            "hint: write one item per line, each after `- `",
            id="string-for-list",
        ),
        pytest.param(
            "conda-execute:\n  remove-if-unsued-for: 3\n",
            "error: unknown setting `remove-if-unsued-for`\n"
            "  /home/.condarc:2:3\n"
            "  2 |   remove-if-unsued-for: 3\n"
            "        ^^^^^^^^^^^^^^^^^^^^\n"
            "hint: did you mean `remove-if-unused-for`?",
            id="unknown-with-near-name",
        ),
        pytest.param(
            "plugins: {conda_execute_beckend: x}", "did you mean `conda_execute_backend`?", id="plugins-unknown"
        ),
        pytest.param("conda-execute: {zzz: x}", "hint: known here: `advisories-url`, ", id="unknown-far"),
        pytest.param("conda-execute: [a]", "`conda-execute` must be a mapping, found a list", id="ours-not-mapping"),
        pytest.param("conda-execute: {backend: mamba}", "must be `rattler` or `conda`, found `mamba`", id="backend"),
        pytest.param("conda-execute: {env-dir: here}", "must be an absolute path, found `here`", id="relative"),
        pytest.param("conda-execute: {env-dir: /a/$NOBODY/b}", "holds `$NOBODY`, which is not set", id="variable"),
        pytest.param("conda-execute: {remove-if-unused-for: soon}", "must be a number of hours", id="hours"),
        pytest.param("conda-execute: {remove-if-unused-for: -1}", "must be a number of hours", id="negative"),
        pytest.param("conda-execute: {remove-if-unused-for: .nan}", "must be a number of hours", id="nan"),
        pytest.param(
            "plugins: {conda_execute_backend: conda}\nconda-execute: {backend: conda}",
            "`backend` is set twice",
            id="twice-in-one-file",
        ),
        pytest.param("channels: [a]\nchannel: [b]", "`channels` and `channel` are the same setting", id="aliases"),
        pytest.param("channels: [a]\nchannels: [b]", "`channels` appears twice", id="duplicate"),
        pytest.param(
            "channels: [[a]]", "an item of `channels` must be a single value, found a list", id="list-in-list"
        ),
        pytest.param("channels: [~]", "an item of `channels` must be a single value, found nothing", id="null-item"),
        pytest.param("custom_channels: [a]", "`custom_channels` must be a mapping", id="list-for-mapping"),
        pytest.param("custom_channels: {a: [b]}", "a value of `custom_channels`", id="list-in-mapping"),
        pytest.param("custom_multichannels: {a: b}", "a value of `custom_multichannels` must be a list", id="multi"),
        pytest.param("offline: perhaps", "`offline` must be `true` or `false`, found `perhaps`", id="boolean"),
        pytest.param("channel_priority: high", "must be `strict`, `flexible` or `disabled`", id="priority"),
        pytest.param("channel_alias: conda.example", "`channel_alias` must be a URL with its scheme", id="alias"),
        pytest.param("ssl_verify: /no/such/file", "`ssl_verify` must be `true`", id="certificates"),
        pytest.param("remote_max_retries: many", "`remote_max_retries` must be a whole number", id="count"),
        pytest.param("- a", "a settings file must be a mapping, found a list", id="list-at-top"),
        pytest.param("channels: [a", "not valid YAML: ", id="unclosed"),
        pytest.param("channels:\n\t- a", "not valid YAML: ", id="tab"),
        pytest.param("a: &x [*x]", "there is no complete value with the anchor `&x`", id="alias-within-its-anchor"),
        pytest.param(
            "a: &x {b: c}\nplugins: {<<: *x}", "merge keys (`<<`) are not supported here", id="merged-mapping"
        ),
        pytest.param("a: !!python/object:os.system x", "tags are not supported here", id="tag"),
        pytest.param("a: 1\n---\nb: 2", "a settings file must be a single YAML document", id="documents"),
        pytest.param("? [a]\n: b", "a key must be text", id="key"),
        pytest.param("a: " + "[" * 60000, "nested deeper than 20 levels", id="deep"),
        pytest.param("a: \x01", "not valid YAML: ", id="control-character"),
        pytest.param("#" * 300000, "at most 256 KiB", id="long"),
    ],
)
def test_a_mistake_is_named_with_its_place(machine: Machine, text: str, expected: str) -> None:
    message = machine.refused(text)
    assert expected in message
    assert "/home/.condarc" in message.replace("\\", "/")


_YAML = st.text(st.sampled_from("abc:-#!&*[]{},|>'\"%@`?~ \n\t\\0123456789$") | st.characters(), max_size=80)
_KEYS = st.sampled_from([*(setting.name for setting in CONDAS), "conda-execute", "plugins", "channel"])


@given(st.lists(st.tuples(_KEYS, _YAML), max_size=4), _YAML)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_settings_or_a_settings_error(tmp_path: Path, lines: list[tuple[str, str]], rest: str) -> None:
    file = tmp_path / ".condarc"
    file.write_bytes("".join(f"{key}: {value}\n" for key, value in lines).encode("utf-8", "replace"))
    with open(file, "ab") as stream:
        stream.write(rest.encode("utf-8", "surrogatepass"))
    refused = None
    try:
        load({"HOME": str(tmp_path)}, search_path=["~/.condarc"])
    except SettingsError as error:
        refused = error
    assert refused is None or render(refused).startswith("error: ")
    assert refused is None or {where.path for where in refused.where} == {str(file)}


def test_a_mistake_in_a_variable_names_the_variable(machine: Machine) -> None:
    message = machine.refused("", CONDA_CHANNEL_PRIORITY="best")
    assert "environment variable CONDA_CHANNEL_PRIORITY" in message
    assert "must be a mapping" in machine.refused("", CONDA_PROXY_SERVERS="http://p")


def test_bytes_that_are_not_utf8_are_refused_with_their_line(machine: Machine) -> None:
    machine.write("home/.condarc", "").write_bytes(b"channels:\n  - caf\xe9\n")
    with pytest.raises(SettingsError, match="must be UTF-8") as caught:
        machine.load()
    assert caught.value.where[0].line == 2


def test_a_byte_order_mark_and_windows_line_ends_are_read(machine: Machine) -> None:
    machine.write("home/.condarc", "").write_bytes(b"\xef\xbb\xbfchannels:\r\n  - a #!top\r\n  - b\r\n")
    assert machine.load().channels == ("a", "b")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_an_error(machine: Machine) -> None:
    machine.write("home/.condarc", "offline: true").chmod(0)
    with pytest.raises(SettingsError, match="cannot read"):
        machine.load()


# --- Sources


def test_sources_hold_contents_and_what_is_absent(machine: Machine) -> None:
    machine.write("home/.condarc", "offline: true\n")
    files = dict(machine.load().sources.files)
    assert files[str(machine.home / ".condarc")] == b"offline: true\n"
    assert files[str(machine.home / ".conda")] is None, "an absent folder stands for all that could be in it"
    assert files[str(machine.root / "condarc.d")] is None
    assert str(machine.home / ".conda" / ".condarc") not in files


def test_sources_stay_short(tmp_path: Path) -> None:
    (tmp_path / "active").mkdir()
    settings = load({"HOME": str(tmp_path), "CONDA_PREFIX": str(tmp_path / "active")}, prefix=str(tmp_path))
    assert len(settings.sources.files) <= 12
    assert settings.sources.repeatable


def test_a_scanned_directory_is_told_with_the_names_that_counted(machine: Machine) -> None:
    folder = machine.home / ".conda" / "condarc.d"
    machine.write("home/.conda/condarc.d/a.yml", "offline: true\n")
    machine.write("home/.conda/condarc.d/README", "offline: true\n")
    sources = machine.load().sources
    assert sources.directories == ((str(folder), ("a.yml",)),)
    assert dict(sources.files)[str(folder / "a.yml")] == b"offline: true\n"
    assert sources.repeatable


def test_origins_name_the_place_of_an_item(machine: Machine) -> None:
    machine.write("root/.condarc", "denylist_channels:\n  - bad\n  - worse\n")
    (where,) = machine.load().origin("denylist_channels", "worse")
    assert (where.path, where.line) == (str(machine.root / ".condarc"), 3)


def test_without_files_no_yaml_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from conda_execute.configuration.settings import load; before = set(sys.modules);"
        f"load({{'HOME': {str(tmp_path)!r}}}, prefix={str(tmp_path)!r}, search_path=['~/.condarc', '~/.conda']);"
        "print(sorted(set(sys.modules) - before))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"


@pytest.mark.parametrize("setting", [*OURS, *CONDAS], ids=lambda setting: setting.name)
def test_every_setting_is_in_the_reference(setting: Setting) -> None:
    text = Path(__file__).parents[1].joinpath("docs", "reference", "settings.md").read_text(encoding="utf-8")
    assert f"`{setting.name}" in text
