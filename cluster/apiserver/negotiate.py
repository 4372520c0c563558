"""Content negotiation: which form of an answer the client asked for.

    Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json      kubectl get
    Accept: application/vnd.kubernetes.protobuf,application/json               a Go client: JSON will do

The best entry that we can make wins; among equals the first. JSON is preferred to protobuf wherever the client takes
both, since stored bytes are JSON and are passed on as they are: protobuf is for who takes nothing else.

Mirrors:  k8s.io/apiserver/pkg/endpoints/handlers/negotiation (negotiate.go)
Left out: CBOR answers.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
import yaml

from cluster.apiserver import protobuf_answers
from cluster.objects import errors

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
OBJECTS = (JSON, YAML, PROTOBUF)
STREAMS = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
TRANSFORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


class Format(NamedTuple):
    """`media`: the Content-Type; `transform`: Table, PartialObjectMetadata… or empty; `version`: of meta.k8s.io."""

    media: str = JSON
    transform: str = ""
    version: str = "v1"
    pretty: bool = False


class Accepted(NamedTuple):
    """One entry of an Accept header."""

    media: str
    parameters: dict[str, str]
    quality: float


def parse_accept(header: str) -> list[Accepted]:
    """The entries of an Accept header, best first."""
    return sorted(_entries(header), key=lambda entry: -entry.quality)


def _entries(header: str) -> Iterator[Accepted]:
    for text in header.split(","):
        media, *rest = (part.strip() for part in text.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if media:
            yield Accepted(media.lower(), parameters, quality)


def negotiate(accept: str, watch: bool = False) -> Format:
    """What to answer with. Errors: NotAcceptable, in the two forms of the real server."""
    known, last = False, None
    for entry in parse_accept(accept or "*/*"):
        media = JSON if entry.media == "*/*" else entry.media
        if media not in OBJECTS:
            continue
        known = True
        chosen = _format(media, entry.parameters, watch)
        if chosen is not None and chosen.media != PROTOBUF:
            return chosen
        last = last or chosen
    if last is not None:
        return last
    accepted = STREAMS if watch else OBJECTS
    if known:
        raise errors.NotAcceptable(f"only the following media types are accepted: {', '.join(accepted)}")
    offered = ", ".join((*OBJECTS, *STREAMS) if watch else OBJECTS)
    raise errors.NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {offered}", {})


def _format(media: str, parameters: dict[str, str], watch: bool) -> Format | None:
    """The form that an entry asks for; None if we do not have it."""
    if watch and media == YAML:
        return None
    transform, version = parameters.get("as", ""), parameters.get("v", "v1")
    if transform:
        known = transform in TRANSFORMS and parameters.get("g") == "meta.k8s.io" and version in ("v1", "v1beta1")
        if not known or (media, transform) == (PROTOBUF, "Table"):
            return None
    return Format(media, transform, version, parameters.get("pretty", "") in ("1", "true"))


def error_format(accept: str) -> Format:
    """The form of a Status: what was asked for if that is possible at all, else JSON."""
    wanted = [entry.media for entry in parse_accept(accept)]
    if wanted and all(media == PROTOBUF for media in wanted):
        return Format(PROTOBUF)
    return Format(YAML if wanted and wanted[0] == YAML else JSON)


def encode(form: Format, obj: Any) -> bytes:
    """`obj` as JSON, YAML (with its keys in order, as Go's maps are written) or protobuf. Errors: NotAcceptable."""
    if form.media == PROTOBUF:
        try:
            return protobuf_answers.encode(obj)
        except KeyError:  # A custom kind, or one that only travels as JSON.
            accepted = f"only the following media types are accepted: {JSON}, {YAML}"
            raise errors.NotAcceptable(accepted) from None
    if form.media == YAML:
        return yaml.dump(obj, Dumper=_Dumper, default_flow_style=False, allow_unicode=True).encode()
    return orjson.dumps(obj, option=orjson.OPT_INDENT_2 if form.pretty else None)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """YAML without anchors: the same dict may stand in two places."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_STAMP = "tag:yaml.org,2002:timestamp"


def _text(dumper: Any, text: str) -> Any:
    """Strings that another reader would take for a time, a number or a truth value get double quotes, as Go's do."""
    plain = dumper.resolve(yaml.ScalarNode, text, (True, False)) == "tag:yaml.org,2002:str"
    style = "|" if "\n" in text else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
