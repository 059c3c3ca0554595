"""Extension values: a name, a configuration, and whether readers must understand them."""

from __future__ import annotations

from dataclasses import dataclass, field

from zarrds._base.types import JSON
from zarrds._format.jsondoc import Place
from zarrds._format.meta import CodecSpec
from zarrds._format.v3.codec_names import kind_of_name

__all__ = ["Extension", "codec_specs", "codecs_to_json", "extension_to_json", "is_ignorable", "parse_extension"]

_MEMBERS = frozenset({"name", "configuration", "must_understand"})
_MAX_DEPTH = 32
_LISTS_OF_CODECS = ("codecs", "index_codecs")
_COUNTED = ("conditional", "optional")
"""Codecs whose values name the codecs inside them by number, so that none may be left out."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A data type, grid, key encoding, codec or storage transformer, as in a document."""

    name: str
    configuration: dict[str, JSON] = field(default_factory=dict)
    must_understand: bool = True


def parse_extension(value: JSON, place: Place) -> Extension:
    """Parse either spelling: an object, or only the name if there is no configuration."""
    if isinstance(value, str):
        return Extension(value)
    if not isinstance(value, dict):
        raise place.error('name, or object with a "name"', value)
    name = place.member("name").expect_text(place.fetch(value, "name"))
    unknown = sorted(set(value) - _MEMBERS)
    if unknown:
        raise place.error(f"only the members {sorted(_MEMBERS)}", unknown)
    configuration = place.member("configuration").expect_object(value.get("configuration", {}))
    must_understand = value.get("must_understand", True)
    if not isinstance(must_understand, bool):
        raise place.member("must_understand").error("true or false", must_understand)
    return Extension(name, configuration, must_understand)


def extension_to_json(name: str, configuration: dict[str, JSON] | None = None) -> dict[str, JSON]:
    """Return the object form; an empty configuration is left out."""
    return {"name": name, "configuration": configuration} if configuration else {"name": name}


def is_ignorable(value: JSON) -> bool:
    """Return whether an unknown member says that it may be ignored."""
    return isinstance(value, dict) and value.get("must_understand") is False


def codec_specs(value: JSON, place: Place, depth: int = 0, *, counted: bool = False) -> tuple[CodecSpec, ...]:
    """Return the codecs of a list, without unknown ones that may be ignored; those in configurations get object form.

    `counted`: all of them are kept, as their numbers have a meaning.
    """
    items = place.expect_list(value)
    if depth > _MAX_DEPTH:
        raise place.error("codecs", "lists that are nested too deep")
    specs = []
    for number, item in enumerate(items):
        found = parse_extension(item, place.item(number))
        if not (counted or found.must_understand or kind_of_name(found.name)):
            continue
        inside = place.item(number).member("configuration")
        specs.append(CodecSpec.of(found.name, _with_objects(found, inside, depth + 1)))
    return tuple(specs)


def _with_objects(codec: Extension, place: Place, depth: int) -> dict[str, JSON]:
    """Return the configuration of a codec, with the codecs inside it in object form at every level."""
    nested: dict[str, JSON] = {}
    for member in _LISTS_OF_CODECS:
        if isinstance(codec.configuration.get(member), list):
            inside = place.member(member)
            specs = codec_specs(codec.configuration[member], inside, depth, counted=codec.name in _COUNTED)
            nested[member] = codecs_to_json(specs)
    return {**codec.configuration, **nested}


def codecs_to_json(specs: list[CodecSpec] | tuple[CodecSpec, ...]) -> list[JSON]:
    """Return codecs in object form; zarr-python 3 reads numcodecs codecs only with a configuration, even if empty."""
    return [
        {"name": spec.name, "configuration": {}}
        if spec.name.startswith("numcodecs.") and not spec.configuration
        else extension_to_json(spec.name, spec.configuration)
        for spec in specs
    ]
