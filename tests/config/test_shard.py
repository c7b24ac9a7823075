"""Tests the division of organisations between processes: each has one shard, and a new shard moves as few as possible."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.configurations import configure, problems_of
from theeye_exporter.config import ShardSettings
from theeye_exporter.config.shard import shard_of

NAMES = st.text(min_size=1, max_size=40)
COUNTS = st.integers(min_value=1, max_value=40)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "exporter.yml"


def listed(*names: str) -> str:
    return "organizations:\n" + "".join(f"  - {{name: {name}, token: token}}\n" for name in names)


@given(NAMES, COUNTS)
def test_every_organization_belongs_to_a_shard_there_is(name: str, count: int) -> None:
    assert 0 <= shard_of(name, count) < count


@given(NAMES, COUNTS)
def test_with_one_more_shard_an_organization_stays_or_moves_there(name: str, count: int) -> None:
    assert shard_of(name, count + 1) in {shard_of(name, count), count}


@given(st.integers(min_value=2, max_value=12))
def test_shards_get_equal_parts(count: int) -> None:
    names = [f"organisation {number}" for number in range(2000)]
    parts = [sum(shard_of(name, count) == shard for name in names) for shard in range(count)]
    assert max(parts) < 1.5 * len(names) / count
    assert min(parts) > 0.5 * len(names) / count


def test_the_shard_of_an_organization_never_changes() -> None:
    """The processes of one deployment may be of several versions and on several machines."""
    assert [shard_of(name, 5) for name in ("demo", "factory", "ñandú", "007", "a b")] == [1, 3, 0, 0, 3]


def test_fifty_thousand_organizations_in_a_hundred_shards() -> None:
    """The division is the same for ever and even, and a further shard takes about 1/101 of all, and moves no other."""
    names = [f"customer-{number:05}" for number in range(50_000)]

    before = [shard_of(name, 100) for name in names]
    after = [shard_of(name, 101) for name in names]

    assert sha256(bytes(before)).hexdigest() == "47b78f1a2c694d0e88d18902f42811e5400308774da7c257cd060ca619185eca"
    sizes = Counter(before).values()
    assert (len(sizes), min(sizes), max(sizes)) == (100, 439, 558)
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(moved) == 508  # 50 000 / 101 is 495
    assert {new for _, new in moved} == {100}
    # Every shard gives some, and none gives many.
    given_up = Counter(old for old, _ in moved)
    assert (len(given_up), max(given_up.values())) == (100, 12)


@settings(max_examples=25)
@given(names=st.lists(st.sampled_from([f"org{n}" for n in range(50)]), min_size=1, unique=True), count=COUNTS)
def test_all_shards_together_have_every_organization_once(
    names: list[str], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("shards") / "exporter.yml"
    found = [
        configure(f"--shard.index={index}", f"--shard.count={count}", file=file, text=listed(*names))
        for index in range(count)
    ]
    own = [organization.name for each in found for organization in each.organizations]
    assert sorted(own) == sorted(names)
    assert {len(each.organizations) + each.elsewhere for each in found} == {len(names)}


def test_one_process_has_all(file: Path) -> None:
    found = configure(file=file, text=listed("a", "b", "c"))
    assert [organization.name for organization in found.organizations] == ["a", "b", "c"]
    assert (found.shard, found.elsewhere) == (ShardSettings(index=0, count=1), 0)


def test_flags_win_over_the_file(file: Path) -> None:
    text = listed("a") + "shard: {index: 1, count: 2}\n"
    assert configure(file=file, text=text).shard == ShardSettings(index=1, count=2)
    assert configure("--shard.index=4", "--shard.count=5", file=file, text=text).shard == ShardSettings(
        index=4, count=5
    )
    assert configure("--shard.index=0", file=file, text=text).shard == ShardSettings(index=0, count=2)


def test_every_shard_reports_the_problems_of_all_organizations(file: Path) -> None:
    text = listed("a", "b") + "  - {name: c}\n"
    for index in range(3):
        assert problems_of(f"--shard.index={index}", "--shard.count=3", file=file, text=text) == [
            "4: organizations[2]: neither token nor token_file is given"
        ]


@pytest.mark.parametrize(
    ("flags", "problems"),
    [
        (
            ["--shard.index=3", "--shard.count=3"],
            ["--shard.index: 3 is too large for shard.count 3, because shards are numbered from 0"],
        ),
        (
            ["--shard.index=1"],
            [
                "--shard.index: 1 is too large for shard.count 1, because shards are numbered from 0; shard.count is the total number"
            ],
        ),
        (
            ["--shard.index=$(POD_INDEX)", "--shard.count=3"],
            ["--shard.index: expected a whole number from 0 to 999, got a variable (variables are not expanded)"],
        ),
        (["--shard.index=-1", "--shard.count=3"], ["--shard.index: expected a whole number from 0 to 999, got -1"]),
        (["--shard.index=1", "--shard.count=0"], ["--shard.count: expected a whole number from 1 to 1000, got 0"]),
        (["--shard.count=1001"], ["--shard.count: expected a whole number from 1 to 1000, got 1001"]),
    ],
)
def test_mistakes(flags: list[str], problems: list[str], file: Path) -> None:
    assert problems_of(*flags, file=file, text=listed("a")) == [f"command line: {problem}" for problem in problems]


def test_a_count_below_the_index_of_the_file(file: Path) -> None:
    text = listed("a") + "shard: {index: 2}\n"
    assert problems_of("--shard.count=2", file=file, text=text) == [
        "3: shard.index: 2 is too large for shard.count 2, because shards are numbered from 0"
    ]
