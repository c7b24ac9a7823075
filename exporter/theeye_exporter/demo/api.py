"""The API: turns requests into responses as the real server does, oddities included; faults are added later."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from theeye_exporter.demo.access import ADMIN, VIEWER, Caller, caller_of, check_organization
from theeye_exporter.demo.answers import NO_ANSWER, Answer, Body, forbidden, json_answer, not_found
from theeye_exporter.demo.creation import Creation
from theeye_exporter.demo.job_actions import JobActions
from theeye_exporter.demo.query import parse_query
from theeye_exporter.demo.reading import Reading
from theeye_exporter.demo.routes import Match, match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import HUMAN
from theeye_exporter.demo.world import World

__all__ = ["Api", "Request"]

_MEDIA: Final = frozenset({"*", "application/json", "application/*", "text/plain", "text/*", "*/*"})
_UNSHARED: Final = frozenset({"monitors", "indicators"})
"""Lists in which a user below administrators only sees what is shared with them: nothing is."""
_LONGEST_ADDRESS: Final = 14_500
_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as received.

    Attributes:
        method: GET, HEAD, …
        path: The path, still encoded.
        query: The query string, still encoded.
        headers: By lower-case name.
        body: The body.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class Api:
    """Answers requests with the data of a world."""

    def __init__(self, world: World, settings: DemoSettings) -> None:
        self._settings = settings
        self._reading = Reading(world, settings)
        self._creation = Creation(world, settings)
        self._actions = JobActions(world)

    def find(self, request: Request) -> Match | None:
        """The route of a request."""
        segments = tuple(unquote(part) for part in request.path.split("/")[1:])
        return match(segments, self._settings.shape, request.method)

    def answer(self, request: Request, found: Match | None, *, members_fail: bool = False) -> Answer:
        """The response to a request.

        Args:
            request: The request.
            found: Its route.
            members_fail: Whether the gateway fails when the server looks up the members of an organisation.
        """
        if len(request.path) + len(request.query) > _LONGEST_ADDRESS:
            return Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Body([]))
        if found is None:
            return not_found(request.path)
        return _unfit(request, found) or self._fit(request, found, members_fail=members_fail)

    def _fit(self, request: Request, found: Match, *, members_fail: bool) -> Answer:
        parameters = parse_query(request.query)
        try:
            fields = {**parameters, **_fields(request)} if found.route.changes else parameters
        except msgspec.DecodeError as error:
            body = {"code": "InvalidContent", "message": f"Invalid JSON: {error}"}
            return json_answer(HTTPStatus.BAD_REQUEST, body)
        caller: Caller | Answer | None = None
        if found.route.check != "open":
            caller = caller_of(request.headers, parameters, self._settings)
            refused = caller if isinstance(caller, Answer) else self._refused(found, parameters, caller)
            if refused is not None:
                return refused
        allowed = caller if isinstance(caller, Caller) else None
        if found.route.fault_kind == "creation":
            return self._creation.answer(found, fields, allowed, members_fail=members_fail)
        if found.route.changes:
            return self._actions.answer(found, fields)
        return self._reading.answer(found, parameters, allowed or Caller(ADMIN, HUMAN, self._settings.organization))

    def _refused(self, found: Match, parameters: Mapping[str, Any], caller: Caller) -> Answer | None:
        kind = found.route.kind
        if found.route.level == "user" and caller.role == VIEWER:
            return forbidden("forbidden")
        conflict = check_organization(found, parameters, caller, self._settings)
        if conflict is not None or caller.role == ADMIN:
            return conflict
        if kind == "usage":
            return forbidden("forbidden")
        if kind == "monitor":
            return NO_ANSWER
        if kind in _UNSHARED:
            return json_answer(HTTPStatus.OK, [])
        return None


def _unfit(request: Request, found: Match) -> Answer | None:
    # The server checks the method and the accepted type before the token.
    if request.method != found.route.method:
        body = {"code": "MethodNotAllowed", "message": f"{request.method} is not allowed"}
        return json_answer(HTTPStatus.METHOD_NOT_ALLOWED, body, ("Allow", ", ".join(found.methods)))
    if not _accepts_json(request.headers.get("accept", "*/*")):
        body = {"code": "NotAcceptable", "message": "Server accepts: application/json, text/plain"}
        return json_answer(HTTPStatus.NOT_ACCEPTABLE, body)
    return None


def _accepts_json(accept: str) -> bool:
    return any(media.partition(";")[0].strip().lower() in _MEDIA for media in accept.split(","))


def _fields(request: Request) -> Mapping[str, Any]:
    # A body that is an array counts as the arguments.
    if not request.body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        return parse_query(request.body.decode("latin-1"))
    value = msgspec.json.decode(request.body)
    return value if isinstance(value, dict) else {"task_arguments": value}
