"""Checks tokens and organisations as TheEye does."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from theeye_exporter.demo.answers import Answer, bad_token, conflict, json_answer
from theeye_exporter.demo.routes import Match
from theeye_exporter.demo.settings import DemoSettings
from theeye_exporter.demo.tasks import BOT_USER, HUMAN, STARTER, WATCHER, User

__all__ = ["ADMIN", "AGENT", "USER", "VIEWER", "Caller", "auth_used", "caller_of", "check_organization"]

ADMIN: Final = "admin"
AGENT: Final = "agent"
USER: Final = "user"
VIEWER: Final = "viewer"

_BEARER: Final = "bearer"
_NEIGHBOUR: Final = User("5bf81d18ca5e7e000f80f8ef", "neighbour")


class Caller(NamedTuple):
    """Who sent a request.

    Attributes:
        role: The level of the token.
        user: The user of the token.
        organization: The name of the organisation of the token.
    """

    role: str
    user: User
    organization: str

    def sees(self, acl: Iterable[str]) -> bool:
        """Whether an object with this access list is shown to the caller."""
        return self.role == ADMIN or self.user.email in acl


def auth_used(headers: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """How a request authenticates: by header, query, both or neither."""
    by_header = "authorization" in headers
    by_query = "access_token" in parameters
    if by_header and by_query:
        return "both"
    return "header" if by_header else "query" if by_query else "none"


def caller_of(headers: Mapping[str, str], parameters: Mapping[str, Any], settings: DemoSettings) -> Caller | Answer:
    """Who sent the request, or the error response to send.

    Two tokens are refused like a missing one. The case of the scheme does not matter.
    """
    scheme, _, by_header = headers.get("authorization", "").partition(" ")
    tokens: list[Any] = [by_header.strip()] if scheme.lower() == _BEARER else []
    if "access_token" in parameters:
        tokens.append(parameters["access_token"])
    if len(tokens) != 1 or not isinstance(tokens[0], str) or not tokens[0]:
        return json_answer(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    callers = {
        settings.token: Caller(ADMIN, HUMAN, settings.organization),
        settings.agent_token: Caller(AGENT, BOT_USER, settings.organization),
        settings.user_token: Caller(USER, STARTER, settings.organization),
        settings.viewer_token: Caller(VIEWER, WATCHER, settings.organization),
        settings.neighbour_token: Caller(USER, _NEIGHBOUR, settings.neighbour),
    }
    return callers.get(tokens[0]) or bad_token()


def check_organization(
    match: Match, parameters: Mapping[str, Any], caller: Caller, settings: DemoSettings
) -> Answer | None:
    """The error response if the token does not belong to the requested organisation; None if it does."""
    asked: Any = caller.organization
    if match.route.check == "path":
        asked = match.customer
    elif match.route.check == "query":
        asked = parameters.get("customer", caller.organization)
    if asked == caller.organization:
        return None
    if asked in {settings.organization, settings.neighbour}:
        return conflict()
    return json_answer(HTTPStatus.NOT_FOUND, "organization not found")
