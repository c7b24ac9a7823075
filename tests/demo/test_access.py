"""Tests tokens and organisations: which requests are accepted, and the errors for others."""

from collections.abc import Callable
from typing import Any

import pytest

from demo.conftest import Client


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_schemes_case_does_not_matter(living: Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {living.theeye.settings.token}"}
    assert living.get("/demo/job", token=None, headers=headers).status_code == 200


def test_a_token_in_the_query(living: Client) -> None:
    assert living.get("/demo/job", token=None, params={"access_token": living.theeye.settings.token}).status_code == 200
    assert living.theeye.requests[-1].auth == "query"
    assert living.theeye.requests[-1].query == ""


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, ""),
        ({"Authorization": "Bearer"}, ""),
        ({"Authorization": "Basic ZGVtbzpkZW1v"}, ""),
        ({"Authorization": "Bearer demo-integration-token"}, "access_token=demo-integration-token"),
        ({}, "access_token=demo-integration-token&access_token=demo-integration-token"),
        ({}, "access_token="),
    ],
)
def test_no_token_or_two(living: Client, recorded: Callable[[str], Any], headers: dict[str, str], query: str) -> None:
    answer = living.get(f"/demo/job?{query}", token=None, headers=headers)
    assert (answer.status_code, answer.json()) == (401, recorded("error_no_token.json"))


def test_a_bad_token(living: Client, recorded: Callable[[str], Any]) -> None:
    answer, real = living.get("/demo/job", token="stolen"), recorded("error_bad_token.json")
    assert answer.status_code == 401
    assert set(answer.json()) == set(real)
    for name in set(real) - {"stack"}:
        assert answer.json()[name] == real[name]
    assert "\n    at " in answer.json()["stack"]
    assert "stolen" not in answer.text


@pytest.mark.parametrize(
    "path", ["/{}/job", "/{}/resource", "/{}/webhook", "/indicator?customer={}", "/usage/counters?customer={}"]
)
def test_organisations_are_checked(living: Client, recorded: Callable[[str], Any], path: str) -> None:
    assert living.get(path.format("demo")).status_code == 200
    unknown = living.get(path.format("other"))
    assert (unknown.status_code, unknown.json()) == (404, recorded("wrong_customer_job.json"))
    foreign = living.get(path.format("neighbour"))
    assert foreign.status_code == 409
    assert foreign.json()["message"] == "Incorrect Organizations. Session conflict"
    assert {"statusCode", "stack"} < set(foreign.json())


@pytest.mark.parametrize("path", ["/{}/task", "/{}/host", "/monitor?customer={}", "/workflows?customer={}"])
def test_organisations_are_not_checked_where_the_token_says_it_all(living: Client, path: str) -> None:
    assert living.json(path.format("other")) == living.json(path.format("demo")) != []


def test_a_bad_token_is_found_before_a_wrong_organisation(living: Client) -> None:
    assert living.get("/other/job", token="stolen").status_code == 401


def test_a_missing_route_is_found_before_a_bad_token(living: Client) -> None:
    assert living.get("/demo/monitor", token="stolen").status_code == 404
    assert living.session.put(f"{living.theeye.url}/demo/job", timeout=30).status_code == 405
