"""Who asks, and for which organisation: tokens and checks as TheEye does them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from theeye_exporter.demo.answers import Answer, bad_token, conflict, json_answer
from theeye_exporter.demo.routes import Match
from theeye_exporter.demo.settings import DemoSettings

__all__ = ["ADMIN", "AGENT", "VIEWER", "auth_used", "check_organization", "role_of"]

ADMIN: Final = "admin"
AGENT: Final = "agent"
VIEWER: Final = "viewer"

_BEARER: Final = "bearer"


def auth_used(headers: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """How a request authenticates: header, query, both or none."""
    by_header = "authorization" in headers
    by_query = "access_token" in parameters
    if by_header and by_query:
        return "both"
    return "header" if by_header else "query" if by_query else "none"


def role_of(headers: Mapping[str, str], parameters: Mapping[str, Any], settings: DemoSettings) -> str | Answer:
    """The role of who asks, or the answer to send instead.

    Two tokens at once are refused like none at all. The scheme's case does not matter.
    """
    scheme, _, by_header = headers.get("authorization", "").partition(" ")
    tokens: list[Any] = [by_header.strip()] if scheme.lower() == _BEARER else []
    if "access_token" in parameters:
        tokens.append(parameters["access_token"])
    if len(tokens) != 1 or not isinstance(tokens[0], str) or not tokens[0]:
        return json_answer(HTTPStatus.UNAUTHORIZED, "Unauthorized")
    roles = {settings.token: ADMIN, settings.agent_token: AGENT, settings.viewer_token: VIEWER}
    role = roles.get(tokens[0])
    return bad_token() if role is None else role


def check_organization(match: Match, parameters: Mapping[str, Any], settings: DemoSettings) -> Answer | None:
    """The answer to send when the organisation asked for is not the token's; None if all is well."""
    asked: Any = settings.organization
    if match.route.check == "path":
        asked = match.customer
    elif match.route.check == "query":
        asked = parameters.get("customer", settings.organization)
    if asked == settings.organization:
        return None
    if asked == settings.neighbour:
        return conflict()
    return json_answer(HTTPStatus.NOT_FOUND, "organization not found")
