"""Plugins are loaded one by one from real distributions, and a broken one does not affect the others."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Architecture, Dataset, Options, PluginError
from benchmarker.backends import chosen
from benchmarker.contracts.plugins import KINDS
from benchmarker.discovery import BrokenPlugin, Plugins, Registered, discover, installed, options_model, resolve
from benchmarker.errors import UnknownPluginError
from tests.fixture_plugins import plugin_source
from tests.foundations.conftest import Site


def _network(name: str, **more: object) -> str:
    arguments = "".join(f", {key}={value!r}" for key, value in more.items())
    return f"Architecture(name={name!r}, builder='x:y', citation='none'{arguments})"


def _dataset(name: str, **more: object) -> str:
    arguments = "".join(f", {key}={value!r}" for key, value in more.items())
    return f"Dataset(name={name!r}, loader='x:y', licence='CC0', citation='none'{arguments})"


def _broken(plugins: Plugins, name: str) -> BrokenPlugin:
    (found,) = [broken for broken in plugins.broken if broken.name == name]
    return found


def test_installed_plugin_is_found_with_its_distribution(site: Site) -> None:
    site.install("sky-one", {"one": plugin_source(f"architecture({_network('sky-tiny')})")}, version="2.3")
    plugins = discover()
    assert plugins.architecture("sky-tiny").citation == "none"
    assert plugins.distribution("architecture", "sky-tiny") == "sky-one 2.3"
    assert "sky-tiny" in [registered.plugin.name for registered in plugins.all("architecture")]


def test_every_kind_of_plugin_is_registered(site: Site) -> None:
    source = plugin_source(
        f"architecture({_network('sky')})",
        "dataset(Dataset(name='sky', loader='x:y', licence='CC0', citation='none'))",
        "augmentation(Augmentation(name='sky', kind='transform', builder='x:y'))",
        "generator(Generator(name='sky', builder='x:y', citation='none'))",
        "report(Report(name='sky', renderer='x:y'))",
        "command(Command(name='sky', command='x:y'))",
        "executor(Executor(name='sky', executor='x:y'))",
    )
    site.install("sky-kinds", {"kinds": source})
    plugins = discover()
    assert not [broken for broken in plugins.broken if broken.name == "kinds"]
    for kind, expected in KINDS.items():
        assert type(getattr(plugins, kind)("sky")) is expected


def test_plugins_are_loaded_sorted_by_entry_point_and_distribution(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.folder / "sky_order.py").write_text("LOADED = []\n")
    body = "import sky_order\nsky_order.LOADED.append({!r})\n" + plugin_source("registered")
    site.install("sky-a", {"mm-middle": body.format("mm-middle of a"), "aa-early": body.format("aa-early of a")})
    first_on_the_path = tmp_path / "first"
    first_on_the_path.mkdir()
    monkeypatch.syspath_prepend(first_on_the_path)
    late_first = {"zz-late": body.format("zz-late of b"), "aa-early": body.format("aa-early of b")}
    Site(first_on_the_path).install("sky-b", late_first)
    discover()
    loaded = sys.modules["sky_order"].LOADED
    assert loaded == ["aa-early of a", "aa-early of b", "mm-middle of a", "zz-late of b"]


BROKEN = {
    "missing-import": (
        "import sky_not_installed\n",
        "ModuleNotFoundError",
        "sky_not_installed",
    ),
    "syntax": ("def benchmarker_register(:\n", "SyntaxError", ""),
    "leaves": ("import sys\nsys.exit('no licence')\n", "SystemExit", "no licence"),
    "signature": (
        "from benchmarker import hookimpl\n\n@hookimpl\ndef benchmarker_register(registrar, galaxies):\n    pass\n",
        "PluginValidationError",
        "galaxies",
    ),
    "no-hook": ("def benchmarker_register(registrar):\n    pass\n", "PluginError", "@hookimpl"),
    "wrong-type": (plugin_source("architecture('convxpress')"), "PluginError", "expects an instance of Architecture"),
    "wrong-kind": (plugin_source(f"dataset({_network('sky-net')})"), "PluginError", "expects an instance of Dataset"),
    "twice": (
        plugin_source(f"architecture({_network('sky-two')})", f"architecture({_network('sky-two')})"),
        "PluginError",
        "registers the architecture 'sky-two' twice",
    ),
    "raises": (plugin_source("architecture(1 / 0)"), "ZeroDivisionError", "division by zero"),
    "name-not-text": (plugin_source(f"architecture({_network('', aliases=())})"), "PluginError", "name"),
    "no-reference": (
        plugin_source("architecture(Architecture(name='sky-net', builder='build', citation='none'))"),
        "PluginError",
        "builder must be 'package.module:name'. Received: 'build'",
    ),
    "no-aliases": (
        plugin_source(f"architecture({_network('sky-net', aliases=None)})"),
        "PluginError",
        "a tuple of str",
    ),
    "one-alias": (
        plugin_source(f"architecture({_network('sky-net', aliases='net')})"),
        "PluginError",
        "a tuple of str",
    ),
    "no-size": (
        plugin_source(f"architecture({_network('sky-net', minimum_size='32')})"),
        "PluginError",
        "the architecture 'sky-net' cannot be registered: minimum_size must be a whole number of at least 1",
    ),
    "no-such-kind": (
        plugin_source("augmentation(Augmentation(name='sky', kind='filter', builder='x:y'))"),
        "PluginError",
        "'expansion' or 'transform'",
    ),
    "no-command-name": (
        plugin_source("command(Command(name='Sky Survey', command='x:y'))"),
        "PluginError",
        "lower-case letters, digits and hyphens. Received: 'Sky Survey'",
    ),
    "no-quality": (
        plugin_source("generator(Generator(name='sky', builder='x:y', citation='none', quality=None))"),
        "PluginError",
        "quality must be 'package.module:name'. Received: None",
    ),
    "no-such-shortcut": (
        plugin_source(f"dataset({_dataset('sky', shortcuts={'rotation': 'step'})})"),
        "PluginError",
        "shortcuts must be a mapping of 'manifest' or 'image_size' or 'mnist' to the name of an option. Received:",
    ),
    "shortcut-to-nothing": (
        plugin_source(
            "augmentation(Augmentation(name='a', kind='transform', builder='x:y', shortcuts={'rotation': ''}))"
        ),
        "PluginError",
        "shortcuts must be a mapping of 'rotation' to the name of an option",
    ),
    "no-such-role": (
        plugin_source(f"dataset({_dataset('sky', default_for='mnist')})"),
        "PluginError",
        "default_for must be a tuple of 'mnist' or 'text-list' or 'text-list-with-data'. Received: 'mnist'",
    ),
    "simulated": (
        plugin_source(f"dataset({_dataset('sky', simulated='yes')})"),
        "PluginError",
        "simulated must be True or False. Received: 'yes'",
    ),
    "name-with-a-slash": (
        plugin_source(f"architecture({_network('sky/net')})"),
        "PluginError",
        "contains '/', which separates names",
    ),
    "alias-with-a-comma": (
        plugin_source(f"architecture({_network('sky-net', aliases=('a,b',))})"),
        "PluginError",
        "the name 'a,b' of the architecture contains ','",
    ),
    "name-with-a-line-break": (
        plugin_source(f"dataset({_dataset('sky' + chr(10) + 'net')})"),
        "PluginError",
        "characters that cannot be seen",
    ),
    "name-of-hyphens": (plugin_source(f"dataset({_dataset('--')})"), "PluginError", "neither a letter nor a digit"),
    "long-name": (plugin_source(f"dataset({_dataset('s' * 81)})"), "PluginError", "longer than 80 characters"),
    "one-spelling": (
        plugin_source(f"architecture({_network('sky-net')})", f"architecture({_network('Sky_Net')})"),
        "PluginError",
        "'Sky_Net' of 'Sky_Net' and 'sky-net' of 'sky-net'",
    ),
    "one-alias-of-two": (
        plugin_source(
            f"architecture({_network('sky-one', aliases=('sky',))})",
            f"architecture({_network('sky-two', aliases=('SKY',))})",
        ),
        "PluginError",
        "'SKY' of 'sky-two' and 'sky' of 'sky-one'",
    ),
    "no-split": (
        plugin_source(f"dataset({_dataset('sky', default_split={'training': 3})})"),
        "PluginError",
        "default_split must be a mapping with the keys published, train, validation, bagging or test_seed",
    ),
    "no-part": (
        plugin_source(f"dataset({_dataset('sky', default_split={'train': -3, 'validation': 0.5})})"),
        "PluginError",
        "a mapping whose 'train' is a number above 0",
    ),
    "own-command": (
        plugin_source("command(Command(name='list', command='x:y'))"),
        "PluginError",
        "benchmarker has a command 'list' itself",
    ),
    "name-a-list": (
        plugin_source("architecture(Architecture(name=['a'], builder='x:y', citation='none'))"),
        "PluginError",
        "name",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_is_listed_and_others_work(case: str, site: Site) -> None:
    source, kind, message = BROKEN[case]
    site.install("sky-before", {"aaa": plugin_source(f"architecture({_network('sky-before')})")})
    site.install("sky-broken", {case: source}, version="0.7")
    site.install("sky-after", {"zzz": plugin_source(f"architecture({_network('sky-after')})")})
    plugins = discover()
    broken = _broken(plugins, case)
    assert broken.distribution == "sky-broken 0.7"
    assert broken.error.startswith(f"{kind}: ")
    assert message in broken.error
    assert "Traceback" in broken.traceback
    assert kind in broken.traceback
    assert plugins.architecture("sky-before")
    assert plugins.architecture("sky-after")


def test_broken_plugin_registers_nothing(site: Site) -> None:
    site.install("sky-half", {"half": plugin_source(f"architecture({_network('sky-half')})", "dataset(None)")})
    plugins = discover()
    with pytest.raises(UnknownPluginError):
        plugins.architecture("sky-half")


def test_broken_entry_point_leaves_the_others_of_its_distribution(site: Site) -> None:
    good = plugin_source(f"architecture({_network('sky-good')})")
    site.install("sky-mixed", {"bad": "raise ValueError('bad')\n", "good": good})
    plugins = discover()
    assert _broken(plugins, "bad").error == "ValueError: bad"
    assert plugins.architecture("sky-good")


def test_ctrl_c_during_discovery_is_not_swallowed(site: Site) -> None:
    site.install("sky-slow", {"slow": "raise KeyboardInterrupt\n"})
    with pytest.raises(KeyboardInterrupt):
        discover()


def test_name_of_two_distributions_belongs_to_neither(site: Site) -> None:
    for name, version in (("sky-left", "1.0"), ("sky-right", "2.0")):
        own = f"architecture({_network(name)})"
        site.install(name, {name: plugin_source(f"architecture({_network('sky-shared')})", own)}, version=version)
    plugins = discover()
    for asked in ("sky-shared", "SKY_shared"):
        with pytest.raises(PluginError, match=r"sky-left 1\.0 and sky-right 2\.0"):
            plugins.architecture(asked)
    assert "sky-shared" not in [registered.plugin.name for registered in plugins.all("architecture")]
    broken = _broken(plugins, "sky-shared")
    assert broken.distribution == "sky-left 1.0, sky-right 2.0"
    assert "uninstall one of them" in broken.error
    assert plugins.architecture("sky-left").name == "sky-left"
    assert plugins.architecture("sky-right").name == "sky-right"


def test_name_of_two_kinds_is_not_a_conflict(site: Site) -> None:
    site.install("sky-net", {"net": plugin_source(f"architecture({_network('sky-both')})")})
    data = "dataset(Dataset(name='sky-both', loader='x:y', licence='CC0', citation='none'))"
    site.install("sky-data", {"data": plugin_source(data)})
    plugins = discover()
    assert plugins.architecture("sky-both")
    assert plugins.dataset("sky-both")


def test_leftover_of_pip_is_not_a_conflict(site: Site) -> None:
    site.install("galaxy-sky", {"sky": plugin_source(f"architecture({_network('sky-net')})")})
    leftover = site.folder / "~alaxy_sky-0.9.dist-info"
    leftover.mkdir()
    (leftover / "METADATA").write_text("Metadata-Version: 2.1\nName: galaxy-sky\nVersion: 0.9\n")
    (leftover / "entry_points.txt").write_text("[benchmarker]\nsky = sky_galaxy_sky_0\n")
    plugins = discover()
    assert plugins.distribution("architecture", "sky-net") == "galaxy-sky 1.0"
    assert not [broken for broken in plugins.broken if "sky" in broken.name]


def test_doubled_entry_point_of_a_distribution_is_one_plugin(site: Site) -> None:
    site.install("sky-twin", {"twin": plugin_source(f"architecture({_network('sky-net')})")})
    (entries,) = site.folder.glob("*.dist-info/entry_points.txt")
    entries.write_text("[benchmarker]\ntwin = sky_sky_twin_0\ntwin = sky_sky_twin_0\nother = sky_sky_twin_0\n")
    plugins = discover()
    assert plugins.architecture("sky-net")
    assert not [broken for broken in plugins.broken if broken.name == "sky-net"]


@pytest.mark.parametrize("metadata", [b"", b"Metadata-Version: 2.1\n", b"\xff\xfe", None])
def test_distribution_with_broken_metadata_is_named_by_its_folder(metadata: bytes | None, site: Site) -> None:
    site.install("sky-lost", {"lost": plugin_source(f"architecture({_network('sky-net')})")})
    (file,) = site.folder.glob("*.dist-info/METADATA")
    file.unlink() if metadata is None else file.write_bytes(metadata)
    assert discover().distribution("architecture", "sky-net") == (
        "sky_lost of unknown version (broken metadata in sky_lost-1.0.dist-info)"
    )


def test_plugin_is_switched_off_by_name(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two", "three"):
        site.install(f"sky-{name}", {name: plugin_source(f"architecture({_network(f'sky-{name}')})")})
    monkeypatch.setenv("BENCHMARKER_DISABLE", "one, two")
    plugins = discover()
    assert plugins.architecture("sky-three")
    with pytest.raises(UnknownPluginError, match="BENCHMARKER_DISABLE switches off: one, two"):
        plugins.architecture("sky-one")
    assert not [name for name in sys.modules if name.startswith(("sky_sky_one", "sky_sky_two"))]


def test_import_of_a_plugin_neither_prints_on_standard_output_nor_moves(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "import os\nprint('from Python')\nos.system('echo from a child')\nos.chdir('/')\n"
    site.install("sky-loud", {"loud": noise + plugin_source(f"architecture({_network('sky-loud')})")})
    (site.folder / "sky_lazy.py").write_text(noise + "build = 1\n")
    before = Path.cwd()
    assert discover().architecture("sky-loud")
    assert resolve("sky_lazy:build") == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.count("from a child") == 2
    assert Path.cwd() == before


def test_import_of_a_plugin_changes_no_variable_of_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many modules begin with a backend: it would become that of every network, only because the plugin is there."""
    noise = "import os\nos.environ['KERAS_BACKEND'] = 'jax'\nos.environ.pop('HOME', None)\nos.environ['SKY'] = '1'\n"
    site.install("sky-rude", {"rude": noise + plugin_source(f"architecture({_network('sky-rude')})")})
    (site.folder / "sky_late.py").write_text(noise + "build = 1\n")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("HOME", "/home/sky")
    before = dict(os.environ)
    assert discover().architecture("sky-rude")
    assert dict(os.environ) == before
    assert resolve("sky_late:build") == 1
    assert dict(os.environ) == before
    assert chosen() == "tensorflow"


def test_import_of_a_plugin_changes_no_setting_of_the_interpreter(site: Site) -> None:
    """Otherwise Ctrl-C would not end a run, and a warning of a library would."""
    noise = (
        "import logging, signal, sys, warnings\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nlogging.disable()\n"
        "sys.setrecursionlimit(200)\nwarnings.simplefilter('error')\nwarnings.filterwarnings('ignore', 'sky')\n"
    )
    site.install("sky-rude", {"rude": noise + plugin_source(f"architecture({_network('sky-rude')})")})

    def state() -> tuple[Any, ...]:
        errors = [each for each in warnings.filters if each[0] == "error"]
        return signal.getsignal(signal.SIGINT), sys.getrecursionlimit(), logging.root.manager.disable, errors

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        before = state()
        assert discover().architecture("sky-rude")
        assert state() == before
        with pytest.warns(DeprecationWarning, match="old"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_entry_points_that_lead_to_the_same_plugin_are_no_conflict(site: Site) -> None:
    source = plugin_source(f"architecture({_network('sky-net')})")
    site.install("sky-net", {"one": source, "two": source})
    plugins = discover()
    assert plugins.architecture("sky-net")
    assert plugins.broken == ()


def test_two_plugins_of_one_name_in_one_distribution_are_named(site: Site) -> None:
    both = (plugin_source(f"architecture({_network('sky-net', minimum_size=size)})") for size in (1, 2))
    site.install("sky-net", dict(zip(("one", "two"), both, strict=True)))
    (broken,) = discover().broken
    assert broken.error == "the architecture 'sky-net' means 2 plugins of sky-net 1.0: rename one of them"


def _made(*architectures: Architecture, broken: tuple[BrokenPlugin, ...] = ()) -> Plugins:
    found: dict[str, list[Registered]] = {}
    for architecture in architectures:
        found.setdefault(architecture.name, []).append(Registered(plugin=architecture, distribution="sky 1"))
    return Plugins({"architecture": found, "dataset": {}, "augmentation": {}, "report": {}}, broken)


def _named(name: str, *aliases: str) -> Architecture:
    return Architecture(name=name, builder="x:y", citation="none", aliases=aliases)


@pytest.mark.parametrize("asked", ["simple_net", "Simple-Net", "SIMPLENET", "simple net", "SIMPLE", "s-i_m ple"])
def test_names_and_aliases_are_found_in_any_spelling(asked: str) -> None:
    plugins = _made(_named("simple_net", "simple"), _named("conv4"))
    assert plugins.architecture(asked).name == "simple_net"


def test_name_wins_over_an_alias_of_another_plugin() -> None:
    plugins = _made(_named("vgg"), _named("vgg16d", "vgg"))
    assert plugins.architecture("vgg").name == "vgg"
    assert plugins.architecture("V-G-G").name == "vgg"


def _of(distribution: str, architecture: Architecture) -> tuple[str, list[Registered]]:
    return architecture.name, [Registered(plugin=architecture, distribution=distribution)]


def test_names_of_two_distributions_that_cannot_be_told_apart_belong_to_neither() -> None:
    plugins = Plugins({"architecture": dict([_of("sky 1", _named("Conv-Net")), _of("sea 1", _named("conv_net"))])})
    assert not plugins.all("architecture")
    for asked in ("Conv-Net", "conv_net", "convnet"):
        with pytest.raises(PluginError, match=r"'Conv-Net' of sky 1 or 'conv_net' of sea 1.* uninstall one of them"):
            plugins.architecture(asked)
    (broken,) = plugins.broken
    assert (broken.name, broken.distribution) == ("Conv-Net, conv_net", "sky 1, sea 1")


def test_alias_of_two_distributions_belongs_to_neither_but_their_names_work() -> None:
    made = dict([_of("sky 1", _named("one", "net-a")), _of("sea 1", _named("two", "Net_A")), _of("sea 1", _named("x"))])
    plugins = Plugins({"architecture": made})
    assert [each.plugin.name for each in plugins.all("architecture")] == ["one", "two", "x"]
    with pytest.raises(PluginError, match="'one' of sky 1 or 'two' of sea 1, which share the alias: use their names"):
        plugins.architecture("neta")
    (broken,) = plugins.broken
    assert (broken.name, broken.distribution) == ("net-a", "sky 1, sea 1")


def test_plugins_are_listed_by_name() -> None:
    plugins = _made(_named("b"), _named("c"), _named("a"))
    assert [registered.plugin.name for registered in plugins.all("architecture")] == ["a", "b", "c"]


def test_unknown_name_gets_a_suggestion() -> None:
    plugins = _made(_named("convxpress"), _named("alexnet"))
    with pytest.raises(UnknownPluginError) as caught:
        plugins.architecture("convexpress")
    assert str(caught.value) == "no architecture is called 'convexpress': did you mean 'convxpress'?"


def test_name_unlike_any_other_gets_the_list() -> None:
    plugins = _made(_named("convxpress"), _named("alexnet"))
    with pytest.raises(UnknownPluginError, match=r"'qqqq': the known ones are: alexnet, convxpress\."):
        plugins.architecture("qqqq")
    with pytest.raises(UnknownPluginError, match=r"no dataset is called 'qqqq': the known ones are: none\."):
        plugins.dataset("qqqq")


def test_unknown_name_mentions_broken_plugins() -> None:
    plugins = _made(_named("alexnet"), broken=(BrokenPlugin(name="gone", distribution="sky 1", error="ImportError"),))
    with pytest.raises(UnknownPluginError, match="1 plugin is broken; `benchmarker list`"):
        plugins.architecture("mine")


def test_installed_plugins_are_loaded_once() -> None:
    assert installed() is installed()


def test_resolve_imports_an_object_by_reference() -> None:
    assert resolve("benchmarker.discovery:resolve") is resolve


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("sky_nowhere:build", "sky_nowhere"),
        ("benchmarker.discovery:no_such_thing", "no_such_thing"),
        ("sky_syntax:build", "SyntaxError"),
        ("sky_zero:build", "ZeroDivisionError"),
        ("sky_leaves:build", "SystemExit"),
        ("nothing", "nothing"),
        (":build", "build"),
        (".relative:build", "relative"),
    ],
)
def test_reference_that_cannot_be_imported_is_a_plugin_error(reference: str, reason: str, site: Site) -> None:
    (site.folder / "sky_syntax.py").write_text("def build(:\n")
    (site.folder / "sky_zero.py").write_text("1 / 0\n")
    (site.folder / "sky_leaves.py").write_text("raise SystemExit(1)\n")
    with pytest.raises(PluginError) as caught:
        resolve(reference)
    assert str(caught.value).startswith(f"{reference!r} cannot be imported: ")
    assert reason in str(caught.value)


def test_options_model_is_imported_when_it_is_used() -> None:
    without = _named("plain")
    assert options_model(without) is None
    given = Dataset(name="sky", loader="x:y", licence="", citation="", options="benchmarker.contracts.settings:Options")
    assert options_model(given) is Options
    with pytest.raises(PluginError, match="sky_nowhere"):
        options_model(Dataset(name="sky", loader="x:y", licence="", citation="", options="sky_nowhere:Options"))
