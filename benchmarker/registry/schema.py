"""The JSON Schema of registries, with which editors complete and check YAML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic.errors import PydanticUserError

from benchmarker.contracts.plugins import Architecture, Augmentation, Dataset, Generator
from benchmarker.discovery import Plugins, options_model
from benchmarker.errors import PluginError
from benchmarker.registry.models import Registry

IDENTIFIER = "urn:galaxy-benchmarker:registry:1"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]

# Where registries name plugins: definition, key, kind of plugin.
_NAMED = (
    ("DatasetEntry", "name", "dataset"),
    ("AugmentationEntry", "name", "augmentation"),
    ("GeneratorEntry", "generator", "generator"),
    ("ModelEntry", "architecture", "architecture"),
)


def registry_schema(plugins: Plugins | None = None) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a registry.

    Parameters
    ----------
    plugins : Plugins, optional
        The installed plugins. Editors then complete their names and check their options. Other names are accepted, too,
        because a registry may be written for another machine.

    Returns
    -------
    dict
        The schema. It accepts the short forms. What a schema cannot express, such as equal models or unknown plugins,
        is left to ``benchmarker validate``.
    """
    schema = Registry.model_json_schema()
    definitions: Schema = schema["$defs"]
    schema["properties"]["seeds"]["uniqueItems"] = True
    definitions["Training"]["properties"]["optimizer"] = {
        **definitions["Training"]["properties"]["optimiser"],
        "description": "The American spelling of 'optimiser'.",
    }
    for definition, key, kind in _NAMED:
        registered = [each.plugin for each in plugins.all(kind)] if plugins else []
        _name_plugins(definitions, definition, key, (p for p in registered if not hasattr(p, "renderer")))
    _accept_short_forms(schema)
    return {"$schema": DIALECT, "$id": IDENTIFIER, **schema, "title": "Registry of the galaxy benchmarker"}


def _accept_short_forms(schema: Schema) -> None:
    """Accept a name instead of a dataset, an arm, an augmentation, or a generator in an arm."""
    definitions = schema["$defs"]
    name = {
        kind: {"anyOf": _names(definitions[entry]["properties"]["name"])}
        for kind, entry in (("dataset", "DatasetEntry"), ("augmentation", "AugmentationEntry"))
    }
    dataset = schema["properties"]["dataset"]
    schema["properties"]["dataset"] = {
        "anyOf": [name["dataset"], {"$ref": "#/$defs/DatasetEntry"}],
        "description": dataset.get("description", ""),
    }
    for entry in ("ArmEntry", "GeneratorEntry"):
        augmentations = definitions[entry]["properties"]["augmentations"]
        augmentations["items"] = {"anyOf": [name["augmentation"], {"$ref": "#/$defs/AugmentationEntry"}]}
    generated = definitions["GeneratedEntry"]
    generated["anyOf"] = [
        {"properties": {"ratio": {"type": "number"}, "balance": {"const": False}}, "required": ["ratio"]},
        {
            "properties": {"balance": {"const": True}, "ratio": {"type": "null"}, "real": {"const": True}},
            "required": ["balance"],
        },
    ]
    by_name = {
        **_names(generated["properties"]["by"])[0],
        "description": "One image of this generator for each real image.",
    }
    definitions["ArmEntry"]["properties"]["generated"]["anyOf"].insert(0, by_name)
    arm = {
        "anyOf": [{"const": "real"}, *name["augmentation"]["anyOf"]],
        "description": "An arm with the augmentation of the same name; 'real' has none.",
    }
    schema["properties"]["arms"]["items"] = {"anyOf": [arm, {"$ref": "#/$defs/ArmEntry"}]}


def _names(name: Schema) -> list[Schema]:
    constraints = ("type", "minLength", "maxLength", "pattern")
    return [*name["anyOf"]] if "anyOf" in name else [{key: name[key] for key in constraints if key in name}]


def _name_plugins(definitions: Schema, definition: str, key: str, plugins: Iterable[Any]) -> None:
    """Let editors complete the names of plugins and check their options."""
    found: list[Architecture | Augmentation | Dataset | Generator] = list(plugins)
    if not found:
        return
    entry = definitions[definition]
    described = entry["properties"][key]
    free = _names(described)
    entry["properties"][key] = {
        "anyOf": [*({"const": plugin.name, "description": plugin.summary} for plugin in found), *free],
        "title": described["title"],
        "description": described["description"],
        "examples": [plugin.name for plugin in found],
    }
    entry["allOf"] = [
        {
            "if": {"properties": {key: {"const": plugin.name}}, "required": [key]},
            "then": {"properties": {"options": _options(definitions, plugin)}},
        }
        for plugin in found
    ]


def _options(definitions: Schema, plugin: Architecture | Augmentation | Dataset | Generator) -> Schema:
    """Return the schema of a plugin's options; a definition that several plugins share is added only once."""
    try:
        model = options_model(plugin)
        if model is None:
            return {"type": "object", "maxProperties": 0, "description": f"{plugin.name} takes no options."}
        prefix = f"{model.__module__}.{model.__qualname__}"
        schema = model.model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    except (PluginError, PydanticUserError):
        # Editors can complete the name even if the options cannot be described.
        return {"type": "object"}
    for name, nested in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = nested
    definitions[prefix] = schema
    return {"$ref": f"#/$defs/{prefix}"}
