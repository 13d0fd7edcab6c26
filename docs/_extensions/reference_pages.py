"""Sphinx extension: writes the pages of the reference that the code decides about into reference/generated/.

The façade comes from ``benchmarker/__init__.pyi``, the registry from its JSON Schema, and the plugins from what is
installed, so that none of these pages can be out of date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.pycode import ModuleAnalyzer

import benchmarker
from benchmarker.contracts.plugins import KINDS
from benchmarker.discovery import installed, options_model
from benchmarker.registry.schema import registry_schema

FOLDER = Path("reference") / "generated"

# Sections of the façade, and the modules whose public names each shows; names of no other module go to the last one.
_SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Registering plugins", ("contracts.plugins", "hooks", "cli")),
    ("Images and tasks", ("contracts.images", "contracts.tasks")),
    ("Settings and options", ("contracts.settings",)),
    ("Reading and writing files", ("data", "files")),
    ("Generators", ("contracts.generation", "backends")),
    ("Randomness and digests", ("randomness", "digests")),
    ("Results", ("results", "study")),
    ("Statistics", ("statistics",)),
    ("Errors", ("errors",)),
    ("Other names", ("",)),
)

# Where a registry's settings are defined, in the order in which a reader needs them, and where they are in a registry.
_DEFINITIONS = {
    "Registry": "The registry",
    "DatasetEntry": "`dataset`",
    "Preparation": "`dataset.preparation`",
    "Split": "`dataset.split`",
    "GeneratorEntry": "`generators`",
    "ArmEntry": "`arms`",
    "AugmentationEntry": "`arms.augmentations`",
    "GeneratedEntry": "`arms.generated`",
    "Training": "`training`",
    "Plateau": "`training.plateau`",
    "EarlyStopping": "`training.early_stopping`",
    "ModelEntry": "`models`",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for source files."""
    app.connect("config-inited", _write_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _write_pages(app: Sphinx, _config: Config) -> None:
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    public = {f"benchmarker.{name}" for _, name in _public_names() if _has_docstring(name)}
    for page in folder.glob("api/*.rst"):  # left by an earlier build; Sphinx only ever adds to them
        if page.stem not in public:
            page.unlink()
    pages: Mapping[str, Callable[[], Iterable[str]]] = {
        "facade.rst": facade_page,
        "registry_schema.md": schema_page,
        "installed_plugins.md": plugins_page,
    }
    for name, make in pages.items():
        text = "\n".join(make()) + "\n"
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# The façade ----------------------------------------------------------------------------------------------------------


def facade_page() -> Iterator[str]:
    """Yield the lines of the page that lists every public name."""
    yield from ("Python interface", "================", "")
    yield "Everything that scripts, notebooks and plugins may import from ``benchmarker``, and the checks for the tests"
    yield "of plugins in ``benchmarker.testing``. All other modules are internal and may change without notice."
    yield ""
    found: dict[str, list[tuple[str, str]]] = {}
    for module, name in _public_names():
        title = next(title for title, modules in _SECTIONS if module.startswith(modules))
        found.setdefault(title, []).append((module, name))
    for title, _ in _SECTIONS:
        names = found.get(title, [])
        documented = [name for _, name in names if _has_docstring(name)]
        yield from (title, "-" * len(title), "", ".. currentmodule:: benchmarker", "") if names else ()
        yield from (".. autosummary::", "   :toctree: api", "   :nosignatures:", "") if documented else ()
        yield from (*(f"   {name}" for name in documented), "")
        for module, name in names:
            if name not in documented:
                yield from _constant(module, name)
    title = "Checks for plugin authors"
    yield from (title, "-" * len(title), "", ".. automodule:: benchmarker.testing", "   :members:")


def _has_docstring(name: str) -> bool:
    public = getattr(benchmarker, name)
    return inspect.isclass(public) or inspect.isfunction(public)


def _constant(module: str, name: str) -> Iterator[str]:
    """Describe a type alias or constant by its value, if that can be read, and by the docstring that follows it."""
    value = repr(getattr(benchmarker, name)).replace("typing.", "")
    value = re.sub(r"benchmarker\.[\w.]+\.(\w+)", r"\1", value)
    shown = () if value.startswith("<") else (f"   :value: {value}",)
    described = ModuleAnalyzer.for_module(f"benchmarker.{module}").find_attr_docs().get(("", name), [])
    yield from (f".. py:data:: {name}", *shown, "", *(f"   {line}" for line in described), "")


def _public_names() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of everything that the façade's stub lists, private names left out."""
    stub = Path(benchmarker.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", each.name) for each in node.names if not each.name.startswith("_"))


# The registry --------------------------------------------------------------------------------------------------------


def schema_page() -> Iterator[str]:
    """Yield the lines of the page that lists every key of a registry."""
    schema = registry_schema()
    definitions = {"Registry": schema, **schema["$defs"]}
    yield from ("# Registry schema", "")
    yield "Every key of a registry, generated from the JSON Schema that `benchmarker schema` prints. The page"
    yield "[Registry](../registry.md) shows all of them in one example. A key in **bold** is required."
    names = [*_DEFINITIONS, *(name for name in definitions if name not in _DEFINITIONS)]
    for name in names:
        properties = definitions.get(name, {}).get("properties")
        if properties:
            yield from ("", f"({_anchor(name)})=", f"## {_DEFINITIONS.get(name, name)}", "")
            yield from _paragraph(definitions[name].get("description", ""))
            yield from _table(properties, definitions[name].get("required", ()))


def _anchor(name: str) -> str:
    return f"schema-{name.lower()}"


def _paragraph(text: str) -> Iterator[str]:
    if text:
        yield from (" ".join(text.split()), "")


def _table(properties: Mapping[str, Any], required: Iterable[str] = ()) -> Iterator[str]:
    yield from ("| key | value | default | meaning |", "|---|---|---|---|")
    for name, each in properties.items():
        key = f"**`{name}`**" if name in required else f"`{name}`"
        default = each.get("default")
        nested = isinstance(default, dict) or (isinstance(default, list) and isinstance(next(iter(default), 0), dict))
        plain = "default" in each and not nested  # nested ones have a table of their own
        shown = f"`{json.dumps(default)}`" if plain else ""
        meaning = " ".join(str(each.get("description", "")).split()).replace("|", "\\|")
        yield f"| {key} | {_type(each)} | {shown} | {meaning} |"


def _type(schema: Mapping[str, Any]) -> str:
    """Describe the values that a schema admits in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{_DEFINITIONS.get(name, name)}](#{_anchor(name)})"
    for combined in ("anyOf", "oneOf", "allOf"):
        if combined in schema:
            return " or ".join(dict.fromkeys(_type(each) for each in schema[combined]))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    return _plain_type(schema) + _bounds(schema)


def _plain_type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items") or {}
        inner = schema.get("prefixItems")
        return f"list of {_type(items)}" if not inner else "[" + ", ".join(_type(each) for each in inner) + "]"
    if kind == "object":
        return "mapping"
    names = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return names.get(str(kind), str(kind or "any value"))


def _bounds(schema: Mapping[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    bounds = [f"{sign} {schema[name]:,}" for name, sign in signs.items() if name in schema]
    return f" {' and '.join(bounds)}" if bounds else ""


# Plugins -------------------------------------------------------------------------------------------------------------


def plugins_page() -> Iterator[str]:
    """Yield the lines of the page that lists the plugins of this distribution with their options."""
    yield from ("# Shipped plugins", "")
    yield "Everything that registries can name without another package being installed, generated from the plugins"
    yield "themselves. `benchmarker list` shows what is installed on your machine."
    explained: list[Mapping[str, Any]] = []
    for kind in KINDS:
        plugins = [each.plugin for each in installed().all(kind)]
        if plugins:
            yield from ("", f"## {kind.capitalize()}s", "")
            yield from _overview(plugins)
            yield from _options(plugins, explained)


def _overview(plugins: Iterable[Any]) -> Iterator[str]:
    plugins = list(plugins)
    columns = [name for name in ("minimum_size", "licence", "citation") if any(getattr(p, name, "") for p in plugins)]
    titles = {"minimum_size": "smallest image, pixels", "licence": "licence", "citation": "reference"}
    yield "| " + " | ".join(("name", "what it is", *(titles[name] for name in columns))) + " |"
    yield "|" + "---|" * (2 + len(columns))
    for plugin in plugins:
        cells = (f"`{plugin.name}`", plugin.summary, *(str(getattr(plugin, name)) for name in columns))
        yield "| " + " | ".join(_linked(cell).replace("|", "\\|") for cell in cells) + " |"


def _linked(text: str) -> str:
    """Turn bibcodes, DOIs and arXiv numbers into links."""
    text = re.sub(r"\b\d{4}[A-Za-z&]{2,6}[\w.]+\d[A-Z]\b", r"[\g<0>](https://ui.adsabs.harvard.edu/abs/\g<0>)", text)
    text = re.sub(r"doi:(10\.[^\s;,]+)", r"[\g<0>](https://doi.org/\1)", text)
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[\g<0>](https://arxiv.org/abs/\1)", text)


def _options(plugins: Iterable[Any], explained: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table for each set of options, under the names of the plugins that share it.

    The mappings in them are added to those that the page explains already, and are explained once.
    """
    shared: dict[str, tuple[list[str], Mapping[str, Any]]] = {}
    for plugin in plugins:
        model = options_model(plugin) if getattr(plugin, "options", None) else None
        if model is not None:
            schema: Mapping[str, Any] = model.model_json_schema()
            names, _ = shared.setdefault(json.dumps(schema.get("properties", {})), ([], schema))
            names.append(plugin.name)
    for names, each in shared.values():
        if each.get("properties"):
            more = f" and {len(names) - 1} more" if len(names) > 2 else "".join(f", `{name}`" for name in names[1:])
            yield from ("", f"### Options of `{names[0]}`{more}", "")
            if len(names) > 2:
                yield from (f"These {len(names)}: {', '.join(f'`{name}`' for name in names)}.", "")
            yield from _table(each["properties"], each.get("required", ()))
            for name, nested in each.get("$defs", {}).items():
                if nested not in explained:
                    explained.append(nested)
                    yield from _nested(name, nested)


def _nested(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield a table for a mapping that options hold, where links to it lead."""
    if definition.get("properties"):
        yield from ("", f"({_anchor(name)})=", f"#### {name}", "")
        yield from _table(definition["properties"], definition.get("required", ()))
