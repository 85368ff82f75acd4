"""The keys of a block of a study's YAML in words: what a value may be, and what it is where it is left out."""

import json
from typing import Any, NamedTuple

from pydantic import BaseModel

Model = type[BaseModel]
Schema = dict[str, Any]


class Key(NamedTuple):
    """One key of the YAML: its name on the page, what its value may be, and its default."""

    name: str
    value: str
    default: str


def keys_of(model: Model) -> list[Key]:
    """The keys of one block of the YAML, in the order of its class."""
    schema = model.model_json_schema()
    properties: dict[str, Schema] = schema["properties"]
    return [Key(name, _value(properties[name]), _default(properties[name])) for name in model.model_fields]


def _value(schema: Schema) -> str:
    """What a value may be, in words; that it may be left out is told by its default."""
    if "anyOf" in schema:
        return " or ".join(_value(inner) for inner in schema["anyOf"] if inner.get("type") != "null")
    if "oneOf" in schema:
        return f"block, `name`: {_choices(schema['discriminator']['mapping'])}"
    if "enum" in schema:
        return _choices(schema["enum"])
    if "$ref" in schema:
        return "block"
    match schema["type"]:
        case "array":
            return _list(schema)
        case "object":
            return "block of named blocks"
        case "string":
            return "text: a to z, 0 to 9, _" if schema.get("pattern") == "^[a-z0-9_]+$" else "text"
        case "boolean":
            return "true or false"
        case "integer":
            return f"whole number{_bounds(schema)}"
        case kind:
            return f"{kind}{_bounds(schema)}"


def _list(schema: Schema) -> str:
    count = f"{schema['minItems']} " if schema.get("minItems") == schema.get("maxItems") else ""
    kind = _value({"type": schema["items"]["type"]})
    return f"list of {count}{kind}s{_bounds(schema['items'])}"


def _choices(values: Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _bounds(schema: Schema) -> str:
    """`, at least 1` and the like."""
    words = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    return "".join(f", {word} {schema[bound]}" for bound, word in words.items() if bound in schema)


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return "required"
    return "none" if schema["default"] is None else f"`{json.dumps(schema['default'])}`".replace('"', "")
