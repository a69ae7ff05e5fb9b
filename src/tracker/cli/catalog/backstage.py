"""The catalog of Backstage: https://backstage.io/docs/features/software-catalog/descriptor-format.

Components are entries; entries are written as components that Backstage's own validators accept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tracker.transcoding.json_text import JsonValue

API_VERSION: Final = "backstage.io/v1alpha1"
_API_VERSIONS: Final = frozenset({API_VERSION, "backstage.io/v1beta1"})
UNKNOWN: Final = "unknown"
"""The version of a new entry: Backstage knows none."""

_NAME_ANNOTATION: Final = "tracker/name"
_LIFECYCLE: Final = "tracker/lifecycle"
_TYPE: Final = "tracker/component-type"
_SYSTEM: Final = "tracker/system"
_SLUGS: Final = {
    "github.com/project-slug": "https://github.com/",
    "gitlab.com/project-slug": "https://gitlab.com/",
    "bitbucket.org/project-slug": "https://bitbucket.org/",
}
_SOURCE: Final = "backstage.io/source-location"
_TYPES: Final = {"service": "project", "website": "project", "library": "library"}
_COMPONENTS: Final = {catalog_pb.Type.project: "service", catalog_pb.Type.library: "library"}
_DASHBOARD: Final = re.compile("dashboard|grafana|datadog|newrelic|kibana|splunk", re.IGNORECASE)
_CHAT: Final = re.compile("chat|slack|teams|discord", re.IGNORECASE)
_LONGEST_NAME: Final = 63
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")
_ANNOTATION: Final = re.compile(
    r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def is_entity(document: JsonValue) -> bool:
    """Return whether a document is an entity of Backstage."""
    return isinstance(document, dict) and document.get("apiVersion") in _API_VERSIONS


def kind_of(entity: Mapping[str, JsonValue]) -> str:
    """Return the kind of an entity, such as `Component`."""
    return str(entity.get("kind") or "")


def entry_of(entity: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the fields of the entry that a component is, in the JSON of the proto."""
    metadata, spec = _part(entity, "metadata"), _part(entity, "spec")
    annotations = {name: str(value) for name, value in _part(metadata, "annotations").items() if value}
    kind = str(spec.get("type") or "")
    for name, value in ((_LIFECYCLE, spec.get("lifecycle")), (_TYPE, kind), (_SYSTEM, spec.get("system"))):
        if value:
            annotations[name] = str(value)
    known = {value.name for value in catalog_pb.Type.desc().values}
    links = [each for each in _list(metadata, "links") if isinstance(each, dict) and each.get("url")]
    dashboards = [each for each in links if _DASHBOARD.search(f"{each.get('type')} {each.get('icon')}")]
    chats = [each for each in links if _CHAT.search(f"{each.get('type')} {each.get('icon')}")]
    others = [each for each in links if each not in dashboards and each not in chats]
    calls = [*_refs(spec, "dependsOn", "component"), *_refs(spec, "consumesApis", "api")]
    entry: dict[str, JsonValue] = {
        "name": annotations.pop(_NAME_ANNOTATION, "") or str(metadata.get("name") or ""),
        "type": _TYPES.get(kind) or (kind if kind in known else "project"),
        "version": UNKNOWN,
        "owner": _name_of(str(spec.get("owner") or "")),
        "description": str(metadata.get("description") or metadata.get("title") or ""),
        "repository": _repository(annotations),
        "link": str(others[0]["url"]) if others else "",
        "dependenciesOut": [*calls],
        "dependenciesIn": [*_refs(spec, "dependencyOf", "component")],
        "dashboardLinks": [_link(each, "type", "custom") for each in dashboards],
        "communicationChannels": [_link(each, "type", "slack") for each in chats],
        "annotations": {**annotations},
    }
    return {name: value for name, value in entry.items() if value}


def _link(link: Mapping[str, JsonValue], field: str, usual: str) -> JsonValue:
    enum = catalog_pb.DashboardType if usual == "custom" else catalog_pb.CommunicationType
    said = f"{link.get('type')} {link.get('icon')} {link['url']}".lower()
    names = (value.name for value in enum.desc().values if value.number)
    found = next((name for name in names if name in said), usual)
    return {field: found, "name": str(link.get("title") or link["url"]), "url": str(link["url"])}


def _repository(annotations: Mapping[str, str]) -> str:
    for name, server in _SLUGS.items():
        if annotations.get(name):
            return f"{server}{annotations[name]}"
    return annotations.get(_SOURCE, "").removeprefix("url:")


def _part(of: Mapping[str, JsonValue], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _list(of: Mapping[str, JsonValue], name: str) -> Sequence[Any]:
    found = of.get(name)
    return found if isinstance(found, list) else []


def _refs(spec: Mapping[str, JsonValue], name: str, usual: str) -> Iterator[str]:
    """Yield the names of components in a list of references; `usual` is the kind of those that name none."""
    for ref in _list(spec, name):
        kind, colon, _ = str(ref).partition(":")
        if (kind if colon else usual).lower() in {"component", "api"}:
            yield _name_of(str(ref))


def _name_of(ref: str) -> str:
    """Return the name in a reference such as `component:default/shop`."""
    return ref.rpartition(":")[2].rpartition("/")[2]


def entities(entries: Iterable[catalog_pb.Catalog]) -> Iterator[dict[str, JsonValue]]:
    """Yield the components that entries are; each has a name that no other has."""
    every = [*entries]
    names: dict[str, str] = {}
    for entry in every:
        name, number = _valid(entry.name), 1
        while name in names.values():
            number += 1
            name = f"{_valid(entry.name)[: _LONGEST_NAME - 1 - len(str(number))]}-{number}"
        names[entry.name] = name
    for entry in every:
        yield _entity(entry, names)


def _entity(entry: catalog_pb.Catalog, names: Mapping[str, str]) -> dict[str, JsonValue]:
    annotations = {name: value for name, value in entry.annotations.items() if _ANNOTATION.fullmatch(name)}
    lifecycle, kind = annotations.pop(_LIFECYCLE, ""), annotations.pop(_TYPE, "")
    system = annotations.pop(_SYSTEM, "")
    metadata: dict[str, JsonValue] = {"name": names[entry.name]}
    if names[entry.name] != entry.name:
        metadata["title"] = entry.name
        annotations[_NAME_ANNOTATION] = entry.name
    if entry.description:
        metadata["description"] = entry.description
    if entry.repository and not any(name in annotations for name in (*_SLUGS, _SOURCE)):
        annotations[_SOURCE] = f"url:{entry.repository}"
    if annotations:
        metadata["annotations"] = {**annotations}
    links: list[JsonValue] = [*_links(entry)]
    if links:
        metadata["links"] = links
    spec: dict[str, JsonValue] = {
        "type": kind or _COMPONENTS.get(entry.type) or (entry.type.name if entry.type else "service"),
        "lifecycle": lifecycle or "production",
        "owner": _valid(entry.owner) if entry.owner else UNKNOWN,
    }
    if system:
        spec["system"] = system
    for field, of in (("dependsOn", entry.dependencies_out), ("dependencyOf", entry.dependencies_in)):
        if of:
            spec[field] = [f"component:default/{names.get(each) or _valid(each)}" for each in of]
    return {"apiVersion": API_VERSION, "kind": "Component", "metadata": metadata, "spec": spec}


def _links(entry: catalog_pb.Catalog) -> Iterator[dict[str, JsonValue]]:
    if entry.link:
        yield {"url": entry.link, "title": "Documentation"}
    for dashboard in entry.dashboard_links:
        if dashboard.url:
            yield {"url": dashboard.url, "title": dashboard.name or dashboard.url, "icon": "dashboard"}
    for channel in entry.communication_channels:
        if channel.url:
            yield {"url": channel.url, "title": channel.name or channel.url, "icon": "chat"}


def _valid(name: str) -> str:
    """Return a name as Backstage allows it: letters and digits, with `-`, `_` or `.` between them."""
    if len(name) <= _LONGEST_NAME and re.fullmatch(r"[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*", name):
        return name
    return _NOT_IN_NAMES.sub("-", name).strip("-")[:_LONGEST_NAME].strip("-") or "unnamed"
