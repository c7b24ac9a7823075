"""Prepared requests are those of `requests`, whatever the address, the path and the parameters are."""

from urllib.parse import quote

import pytest
import requests

from theeye_exporter.theeye.preparing import Preparation
from theeye_exporter.theeye.tokens import BearerAuth

HEADERS = {"User-Agent": "tests/1", "Accept": "application/json"}


QUERIES: list[dict[str, str | list[str]]] = [
    {},
    {"limit": "1"},
    {"where[_id][$in][]": ["a", "b c"], "where[last_update][$gte]": "2026-01-01T00:00:00.000Z"},
    {"access_token": "a~b/c+d=\N{SNOWMAN}%41", "where[name]": "", "none[]": []},
]


@pytest.mark.parametrize(
    "url",
    [
        "http://theeye.example",
        "https://theeye.example:8443",
        "http://[::1]:60080/a%20path",
        "https://THEEYE.example/deep/er",
        "http://b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example/\N{SNOWMAN}",
        "http://somebody:else@theeye.example",
    ],
)
@pytest.mark.parametrize("token", ["abc", None])
def test_what_is_prepared_is_what_the_library_prepares(url: str, token: str | None) -> None:
    preparation, auth = Preparation(url, HEADERS), BearerAuth(token)
    for name in ("demo", "a b", "~._-", "%2F", "\N{SNOWMAN}/?#[]@!$&'()*+,;="):
        for query in QUERIES:
            path = f"/{quote(name, safe='')}/job"
            prepared = preparation.prepare(path, query, auth)
            expected = requests.Request("GET", url + path, HEADERS, params=query, auth=auth).prepare()
            for attribute in ("method", "url", "headers", "body", "hooks"):
                assert getattr(prepared, attribute) == getattr(expected, attribute)


def test_one_request_does_not_get_the_token_of_another() -> None:
    preparation = Preparation("http://theeye.example", HEADERS)
    preparation.prepare("/job", {}, BearerAuth("abc"))
    assert "Authorization" not in preparation.prepare("/job", {}, BearerAuth(None)).headers


def test_an_address_that_is_not_valid_is_an_error_of_each_request() -> None:
    preparation = Preparation("http://*theeye", HEADERS)
    for _ in range(2):
        with pytest.raises(requests.exceptions.InvalidURL):
            preparation.prepare("/job", {}, BearerAuth(None))
