"""Says in plain words what a pydantic model expects at a path, from its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticUserError

from benchmarker.registry.positions import Path

Schema = dict[str, Any]

_SINGULAR = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping of keys and values",
}

_PLURAL = {
    "integer": " of whole numbers",
    "number": " of numbers",
    "string": " of texts",
    "object": " of mappings",
}


class Expectations:
    """What a model expects.

    Parameters
    ----------
    model : type of BaseModel
        Of a registry, or of a plugin's options.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._root = _schema(model)

    def at(self, path: Path) -> tuple[Schema, ...]:
        """Return the alternatives that the value at a path may be; none where the schema does not say."""
        found = tuple(self._alternatives(self._root))
        for step in path:
            found = tuple(
                each for schema in found for child in _children(schema, step) for each in self._alternatives(child)
            )
        return found

    def describe(self, path: Path) -> str:
        """Return what a value must be, in words; empty where the schema does not say."""
        alternatives = self.at(path)
        useful = [schema for schema in alternatives if schema.get("type") != "null"] or list(alternatives)
        if any(schema.get("type") == "object" for schema in useful):
            # Whole sections are switched off with null; for a single setting leaving it out is what people do.
            useful = list(alternatives)
        words = [self._describe(schema) for schema in useful]
        return "" if "" in words else " or ".join(dict.fromkeys(words))

    def keys(self, path: Path) -> tuple[str, ...]:
        """Return the keys that a mapping may have, in the order of the model."""
        return tuple(dict.fromkeys(key for schema in self.at(path) for key in schema.get("properties", ())))

    def choices(self, path: Path) -> tuple[Any, ...]:
        """Return the values that a setting may take, where they can be counted."""
        return tuple(value for schema in self.at(path) for value in _choices(schema))

    def types(self, path: Path) -> frozenset[str]:
        """Return the JSON types that a value may have."""
        return frozenset(schema["type"] for schema in self.at(path) if isinstance(schema.get("type"), str))

    def _alternatives(self, schema: Schema) -> Iterator[Schema]:
        if "$ref" in schema:
            name = schema["$ref"].rsplit("/", 1)[-1]
            yield from self._alternatives(self._root["$defs"][name])
            return
        unions = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
        if not unions:
            yield schema
        for union in unions:
            yield from self._alternatives(union)

    def _describe(self, schema: Schema) -> str:
        choices = _choices(schema)
        if choices:
            words = [repr(value) if isinstance(value, str) else str(value).lower() for value in choices]
            return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        kind = schema.get("type", "")
        word = _SINGULAR.get(kind, "") if isinstance(kind, str) else ""
        if kind == "integer" and {"minimum", "exclusiveMaximum"} <= schema.keys():
            return f"{word} from {schema['minimum']} to {schema['exclusiveMaximum'] - 1}"
        if kind in {"integer", "number"}:
            return f"{word}{_bounds(schema)}"
        if kind == "string":
            return f"{word}{_length(schema, 'characters')}"
        if kind == "array":
            return f"{word}{self._items(schema)}{_length(schema, 'entries')}"
        return word

    def _items(self, schema: Schema) -> str:
        kinds = {str(each.get("type")) for each in self._alternatives(schema.get("items", {}))}
        return _PLURAL.get(kinds.pop(), "") if len(kinds) == 1 else ""


@lru_cache(maxsize=256)
def _schema(model: type[BaseModel]) -> Schema:
    try:
        return model.model_json_schema()
    except PydanticUserError:
        # A plugin may describe its options with types that JSON Schema has no words for; pydantic's own are used then.
        return {}


def _children(schema: Schema, step: str | int) -> Iterator[Schema]:
    if isinstance(step, int):
        prefix = schema.get("prefixItems", ())
        child = prefix[step] if step < len(prefix) else schema.get("items")
    else:
        child = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
    if isinstance(child, dict):
        yield child


def _choices(schema: Schema) -> tuple[Any, ...]:
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))


def _bounds(schema: Schema) -> str:
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least, most = schema.get("minimum"), schema.get("maximum")
    if above is not None and below is not None:
        return f" between {above:g} and {below:g}, both excluded"
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    words = {"greater than": above, "of at least": least, "less than": below, "of at most": most}
    told = [f"{word} {_plain(bound)}" for word, bound in words.items() if bound is not None]
    if "multipleOf" in schema:
        told.append(f"a multiple of {_plain(schema['multipleOf'])}")
    return f" {' and '.join(told)}" if told else ""


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


def _length(schema: Schema, unit: str) -> str:
    low = schema.get("minLength", schema.get("minItems"))
    high = schema.get("maxLength", schema.get("maxItems"))
    if low and high:
        return f" of {low} {unit}" if low == high else f" of {low} to {high} {unit}"
    if low:
        return " that is not empty" if low == 1 else f" of at least {low} {unit}"
    return f" of at most {high} {unit}" if high else ""
