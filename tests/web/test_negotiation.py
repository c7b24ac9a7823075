"""Which format and encoding a scrape gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theeye_exporter.exposition.render import Format
from theeye_exporter.web.negotiation import accepts_gzip, choose_format

TEXT_0, TEXT_1, OPENMETRICS = Format.TEXT_0_0_4, Format.TEXT_1_0_0, Format.OPENMETRICS_1_0_0

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_2_53 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_TEXT = (
    "text/plain;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.5,"
    "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.4,*/*;q=0.3"
)
PROMETHEUS_3_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," + PROMETHEUS_3
)
CHROMIUM = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("accept", "fmt", "escaping"),
    [
        pytest.param(PROMETHEUS_2_42, OPENMETRICS, None, id="Prometheus 2.42"),
        pytest.param(PROMETHEUS_2_53, OPENMETRICS, None, id="Prometheus 2.53"),
        pytest.param(PROMETHEUS_3, OPENMETRICS, "allow-utf-8", id="Prometheus 3"),
        pytest.param(PROMETHEUS_3_TEXT, TEXT_1, "underscores", id="Prometheus 3, text first"),
        pytest.param(PROMETHEUS_3_PROTOBUF, OPENMETRICS, "allow-utf-8", id="Prometheus 3, native histograms"),
        pytest.param("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT_0, None, id="Prometheus 1"),
        pytest.param("*/*", TEXT_0, None, id="curl"),
        pytest.param(CHROMIUM, TEXT_0, None, id="Chromium"),
        pytest.param("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", TEXT_0, None, id="Java"),
        pytest.param(None, TEXT_0, None, id="no header"),
        pytest.param("", TEXT_0, None, id="empty"),
    ],
)
def test_what_real_clients_send(accept: str | None, fmt: Format, escaping: str | None) -> None:
    content_type = f"{fmt.value}; escaping={escaping}" if escaping else fmt.value

    assert choose_format(accept) == (fmt, content_type)


@pytest.mark.parametrize(
    ("accept", "fmt"),
    [
        # Named alone, with and without a version.
        ("text/plain", TEXT_0),
        ("text/plain;version=0.0.4", TEXT_0),
        ("text/plain;version=1.0.0", TEXT_1),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0", OPENMETRICS),
        # Among named ones the weight decides, then what expresses more.
        ("text/plain, application/openmetrics-text", OPENMETRICS),
        ("text/plain;version=0.0.4, text/plain;version=1.0.0", TEXT_1),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.8", TEXT_0),
        ("text/plain;version=1.0.0;q=0.2, text/plain;q=0.3", TEXT_0),
        # The more specific range decides, in whatever order.
        ("text/plain;version=0.0.4;q=0.1, text/plain;q=0.9, application/openmetrics-text;q=0.5", OPENMETRICS),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.5, text/plain;version=0.0.4;q=0.1", OPENMETRICS),
        ("application/*;q=0.1, application/openmetrics-text;q=0.8, text/plain;q=0.5", OPENMETRICS),
        # Names win over wildcards.
        ("*/*, application/openmetrics-text;q=0.1", OPENMETRICS),
        ("text/*, text/plain;version=1.0.0;q=0.001", TEXT_1),
        # Only wildcards.
        ("text/*", TEXT_0),
        ("text/*;q=0.5, */*", TEXT_0),
        ("application/*", OPENMETRICS),
        ("application/*, */*;q=0.1", TEXT_0),
        # Refused.
        ("application/openmetrics-text;q=0, */*", TEXT_0),
        ("application/openmetrics-text;q=0, text/plain;version=1.0.0;q=0.1", TEXT_1),
        ("text/plain;version=0.0.4;q=0, */*", TEXT_1),
        ("text/plain;version=0.0.4;q=0, text/plain", TEXT_1),
        ("text/plain;q=0, */*", OPENMETRICS),
        ("text/plain;q=0.000, application/openmetrics-text;q=0.001", OPENMETRICS),
        ("*/*;q=0", TEXT_0),
        # Versions that we do not have.
        ("application/openmetrics-text;version=0.0.1", TEXT_0),
        ("application/openmetrics-text;version=2.0.0, text/plain;version=1.0.0;q=0.1", TEXT_1),
        ("text/plain;version=0.0.5, application/openmetrics-text;q=0.1", OPENMETRICS),
        ("text/plain;version=", TEXT_0),
        # Letters, blanks, quotes.
        ("APPLICATION/OpenMetrics-Text ; VERSION=1.0.0 ; Q=0.5", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ('application/openmetrics-text; version="1\\.0.0"', OPENMETRICS),
        ('application/openmetrics-text; note="a, b; c=\\"d"; version=1.0.0, text/plain', OPENMETRICS),
        ("text/plain;charset=utf-8;version=1.0.0", TEXT_1),
        # Garbage.
        (",,;,;;=,/,text,*", TEXT_0),
        ("application/openmetrics-text;q=high", TEXT_0),
        ("application/openmetrics-text;q=nan", TEXT_0),
        ("application/openmetrics-text;q=-1", TEXT_0),
        ("application/openmetrics-text;q=", TEXT_0),
        ("application/openmetrics-text;q=²", TEXT_0),
        ("application/openmetrics-text;q=0.3;q=0, text/plain;q=0.2", OPENMETRICS),
        ("application/openmetrics-text;q=7, text/plain;version=1.0.0;q=8", OPENMETRICS),
        ('application/openmetrics-text;version="1.0.0', OPENMETRICS),
        ('"application/openmetrics-text"', TEXT_0),
    ],
)
def test_choice(accept: str, fmt: Format) -> None:
    assert choose_format(accept)[0] is fmt


@pytest.mark.parametrize("scheme", ["allow-utf-8", "underscores", "dots", "values", '"Values"'])
@pytest.mark.parametrize("name", ["text/plain;version=1.0.0", "application/openmetrics-text;version=1.0.0"])
def test_known_escaping_is_promised_back(name: str, scheme: str) -> None:
    assert choose_format(f"{name};escaping={scheme}")[1].endswith("; escaping=" + scheme.strip('"').lower())


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain;version=0.0.4;escaping=dots",
        "text/plain;version=1.0.0;escaping=other",
        'text/plain;version=1.0.0;escaping="dots\r\nX-Header: 1"',
        "text/plain;version=1.0.0, application/openmetrics-text;q=0.5;escaping=dots",
    ],
)
def test_other_escaping_is_not(accept: str) -> None:
    fmt, content_type = choose_format(accept)

    assert content_type == fmt.value


RANGES = st.builds(
    "{};{}{}".format,
    st.sampled_from(
        [
            "*/*",
            "text/*",
            "application/*",
            "text/plain",
            "text/plain;version=0.0.4",
            "text/plain;version=1.0.0",
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0",
            "application/openmetrics-text;version=0.0.1",
            "text/html",
        ]
    ),
    st.sampled_from(["q=", "Q=", " q = "]),
    st.sampled_from(["0", "0.001", "0.5", "1", "1.000"]),
)
ALPHABET = st.sampled_from('aqtxv019.,;="\\/*+- \t\r\nä/plainopenmetrics-version')


@given(st.text() | st.text(ALPHABET) | st.lists(RANGES | st.text(ALPHABET, max_size=8)).map(",".join))
def test_no_header_is_too_strange(header: str) -> None:
    fmt, content_type = choose_format(header)

    assert content_type.partition("; escaping=")[0] == fmt.value
    assert content_type.isascii()
    assert content_type.isprintable()
    assert accepts_gzip(header) in {True, False}


@given(st.lists(RANGES, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_ranges_does_not_matter(ranges: list[str], random: object) -> None:
    shuffled = list(ranges)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert choose_format(",".join(ranges)) == choose_format(" , ".join(shuffled))


@given(st.lists(RANGES, max_size=6))
def test_letter_case_does_not_matter(ranges: list[str]) -> None:
    header = ",".join(ranges)

    assert choose_format(header) == choose_format(header.upper())


@given(st.lists(RANGES, max_size=6), st.sampled_from(list(Format)))
def test_a_name_with_the_full_weight_is_served_if_nothing_is_preferred(ranges: list[str], fmt: Format) -> None:
    accept = ",".join([*ranges, fmt.value])
    chosen = choose_format(accept)[0]

    # Only a format that expresses more can come before it, and only with the same weight.
    assert list(Format).index(chosen) >= list(Format).index(fmt)


@pytest.mark.parametrize(
    ("accept_encoding", "gzip"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip, deflate, br, zstd", True),
        ("gzip;q=1.0", True),
        ("gzip;q=0.001", True),
        ("deflate, br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=0.5, identity;q=0.6", False),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("gzip;q=0.5, identity;q=0", True),
        ("identity, *;q=0.5", False),
        ("identity;q=0.5, *;q=0", False),
        ("gzip;q=high", False),
        ("gzipped", False),
    ],
)
def test_gzip(accept_encoding: str | None, gzip: bool) -> None:
    assert accepts_gzip(accept_encoding) is gzip
