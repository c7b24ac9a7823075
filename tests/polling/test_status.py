"""When TheEye counts as up."""

import pytest

from theeye_exporter.polling.status import Attempt, CollectorStatus, StatusBoard
from theeye_exporter.theeye.errors import Reason


def board() -> StatusBoard:
    made = StatusBoard()
    for organization in ("a", "b"):
        made.register(
            f"http://{organization}",
            [
                CollectorStatus(organization=organization, collector=name, interval=1, max_age=5)
                for name in ("monitors", "jobs")
            ],
        )
    return made


def record(made: StatusBoard, collector: str, reason: Reason | None = None, *, organization: str = "a") -> None:
    made.record(
        Attempt(
            organization=organization,
            collector=collector,
            ended=1,
            moment=1,
            duration=1,
            reason=reason,
            error=reason and "words",
        )
    )


def test_nothing_is_known_before_the_first_attempt_and_readiness_waits_for_all() -> None:
    made = board()
    assert [organization.up for organization in made.organizations] == [None, None]
    assert list(made.waiting) == ["a/monitors", "a/jobs", "b/monitors", "b/jobs"]
    record(made, "monitors")
    record(made, "jobs", Reason.TIMEOUT)
    assert list(made.waiting) == ["b/monitors", "b/jobs"]
    assert [organization.up for organization in made.organizations] == [True, None]


@pytest.mark.parametrize(
    "reason", [Reason.UNREACHABLE, Reason.UNAUTHORIZED, Reason.ORGANIZATION_NOT_FOUND, Reason.AGENT_TOKEN]
)
def test_what_concerns_every_request_takes_it_down_at_once(reason: Reason) -> None:
    made = board()
    record(made, "jobs")
    record(made, "monitors", reason)
    assert made.up("a") is False
    record(made, "jobs")
    assert made.up("a") is True


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.SERVER_ERROR, Reason.FORBIDDEN, Reason.INVALID_RESPONSE])
def test_one_failing_route_does_not_take_it_down_but_all_do(reason: Reason) -> None:
    made = board()
    record(made, "jobs")
    record(made, "monitors", reason)
    assert made.up("a") is True
    record(made, "jobs", reason)
    assert made.up("a") is False


def test_a_rejected_empty_list_counts_as_a_response() -> None:
    made = board()
    record(made, "monitors", Reason.EMPTY_LIST)
    assert made.up("a") is True
    assert made.organizations[0].collectors[0].success is False


def test_organizations_do_not_touch_each_other() -> None:
    made = board()
    record(made, "monitors")
    record(made, "monitors", Reason.UNREACHABLE, organization="b")
    assert (made.up("a"), made.up("b")) == (True, False)


def test_readiness_does_not_wait_for_what_came_later() -> None:
    made = board()
    late = CollectorStatus(organization="c", collector="jobs", interval=1, max_age=5)
    made.register("http://c", [late], awaited=False)
    assert [organization.name for organization in made.organizations] == ["a", "b", "c"]
    assert list(made.waiting) == ["a/monitors", "a/jobs", "b/monitors", "b/jobs"]
    made.forget("a", "jobs")
    made.forget("b")
    assert list(made.waiting) == ["a/monitors"]


def test_what_is_known_of_a_collector_outlives_a_change_of_its_times() -> None:
    made = board()
    record(made, "jobs", Reason.UNAUTHORIZED)
    made.register("http://other", [CollectorStatus(organization="a", collector="jobs", interval=7, max_age=70)])
    (found,) = [organization for organization in made.organizations if organization.name == "a"]
    assert (found.url, found.up) == ("http://other", False)
    (jobs,) = [status for status in found.collectors if status.collector == "jobs"]
    assert (jobs.interval, jobs.max_age, jobs.reason, jobs.failures) == (7, 70, Reason.UNAUTHORIZED, 1)


def test_an_organization_is_forgotten_with_its_last_collector() -> None:
    made = board()
    record(made, "jobs")
    made.forget("a", "monitors")
    assert made.up("a") is True
    made.forget("a", "jobs")
    assert made.up("a") is None
    assert [organization.name for organization in made.organizations] == ["b"]


def visible(*objects: int | Reason) -> tuple[int | None, bool]:
    """Let as many collectors end an attempt with so many objects; returns what the organisation's token sees then."""
    made = StatusBoard()
    names = ("monitors", "tasks", "workflows", "jobs")
    made.register("u", [CollectorStatus(organization="a", collector=c, interval=1, max_age=5) for c in names])
    turned = False
    for name, found in zip(names, objects, strict=False):
        count, reason = (0, found) if isinstance(found, Reason) else (found, None)
        attempt = Attempt(organization="a", collector=name, ended=1, moment=1, duration=1, objects=count, reason=reason)
        turned |= made.record(attempt)
    (status,) = made.organizations
    assert status.sees_nothing == turned
    return status.visible_objects, status.sees_nothing


def test_a_token_sees_nothing_once_every_list_is_known_to_be_empty() -> None:
    assert visible(0, 0, 0, 0) == (0, True)
    assert visible(0, 0, 0) == (None, False)
    assert visible(0, 0, Reason.FORBIDDEN, 0) == (None, False)
    assert visible(3, 0, 0) == (3, False)
    assert visible(3, 2, 0, 7) == (12, False)
    assert visible(0, 0, 0, 1) == (1, False)


def test_that_nothing_changed_is_not_that_nothing_is_seen() -> None:
    made = StatusBoard()
    made.register("u", [CollectorStatus(organization="a", collector="jobs", interval=1, max_age=5)])

    def jobs(objects: int, *, complete: bool) -> bool:
        return made.record(
            Attempt(
                organization="a", collector="jobs", ended=1, moment=1, duration=1, objects=objects, complete=complete
            )
        )

    assert not jobs(4, complete=True)
    assert not jobs(0, complete=False)
    assert made.organizations[0].visible_objects == 4
    assert not jobs(6, complete=False)
    assert made.organizations[0].visible_objects == 6
    assert jobs(0, complete=True)
    assert not jobs(0, complete=True)
    assert made.organizations[0].sees_nothing


def test_what_everybody_sees_does_not_count() -> None:
    made = StatusBoard()
    made.register("u", [CollectorStatus(organization="a", collector="hosts", interval=1, max_age=5)])
    made.record(Attempt(organization="a", collector="hosts", ended=1, moment=1, duration=1, objects=0))
    assert made.organizations[0].visible_objects is None


@pytest.mark.parametrize("reason", [None, Reason.UNAUTHORIZED, Reason.UNREACHABLE])
def test_a_collector_that_sends_no_token_says_nothing_about_it(reason: Reason | None) -> None:
    made = board()
    made.register("http://a", [CollectorStatus(organization="a", collector="server", interval=0.5, max_age=5)])
    record(made, "server", reason)
    assert made.up("a") is None
    record(made, "monitors", Reason.UNAUTHORIZED)
    record(made, "server", reason)
    assert made.up("a") is False
    record(made, "monitors")
    record(made, "server", reason)
    assert made.up("a") is True
