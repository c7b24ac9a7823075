"""Content negotiation of a scrape (RFC 9110, sections 12.4 and 12.5): which format, and compressed or not.

The exporter never answers 406. A client that accepts none of our formats gets the oldest text format, which every
scraper and every person can read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from theeye_exporter.exposition.render import Format

__all__ = ["accepts_gzip", "choose_format"]

_REMEMBERED: Final = 32
"""Number of parsed headers to cache: a scraper sends the same ones every time."""

_ESCAPING_SCHEMES: Final = frozenset({"allow-utf-8", "underscores", "dots", "values"})
_WITH_ESCAPING: Final = frozenset({Format.TEXT_1_0_0, Format.OPENMETRICS_1_0_0})

# Commas and semicolons inside quotes do not separate; an unclosed quote extends to the end of the header.
_ELEMENT: Final = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_PART: Final = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_WEIGHT: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")  # Java sends ".2"; a client that sends 2 means 1


class _Specificity(IntEnum):
    ANYTHING = 0
    TYPE = 1
    MEDIA_TYPE = 2
    VERSION = 3


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of an Accept or Accept-Encoding header, in lower case."""

    value: str
    parameters: Mapping[str, str]
    weight: float


@dataclass(frozen=True, slots=True)
class _Match:
    specificity: _Specificity
    weight: float
    escaping: str | None


@dataclass(frozen=True, slots=True)
class _Offer:
    """A format that we offer; `default` marks the one that the media type means without a version."""

    format: Format
    media_type: str
    version: str
    default: bool

    def match(self, element: _Element) -> _Match | None:
        """Return how `element` matches this format, None if it does not."""
        version = element.parameters.get("version")
        if element.value == "*/*":
            specificity = _Specificity.ANYTHING
        elif element.value == f"{self.media_type.partition('/')[0]}/*":
            specificity = _Specificity.TYPE
        elif element.value != self.media_type or version not in {None, self.version}:
            return None
        else:
            specificity = _Specificity.MEDIA_TYPE if version is None else _Specificity.VERSION
        return _Match(specificity, element.weight, element.parameters.get("escaping"))

    def is_named(self, match: _Match) -> bool:
        """Whether the client names this very format, and not just a wildcard that includes it."""
        return match.specificity is _Specificity.VERSION or (
            match.specificity is _Specificity.MEDIA_TYPE and self.default
        )


_OFFERS: Final = (  # the most expressive first
    _Offer(Format.OPENMETRICS_1_0_0, "application/openmetrics-text", "1.0.0", default=True),
    _Offer(Format.TEXT_1_0_0, "text/plain", "1.0.0", default=False),
    _Offer(Format.TEXT_0_0_4, "text/plain", "0.0.4", default=True),
)


@lru_cache(_REMEMBERED)
def choose_format(accept: str | None) -> tuple[Format, str]:
    """Choose the format for an Accept header, and return it with the Content-Type of the response.

    The most specific range decides about each format. A format that the client names wins over those that a wildcard
    includes. Among named formats the highest weight wins, then OpenMetrics 1.0.0, text 1.0.0 and text 0.0.4, in this
    order. If the client names none of our formats (wildcards, no header, other formats), it gets text 0.0.4, unless it
    does not accept that and accepts another one of our formats.

    The `escaping` that Prometheus 3 sends is repeated in the Content-Type: none of our names needs escaping.
    """
    elements = tuple(_elements(accept or ""))
    named: tuple[_Offer, _Match] | None = None
    included: tuple[_Offer, _Match] | None = None
    for offer in _OFFERS:
        matches = [match for match in map(offer.match, elements) if match]
        if not matches:
            continue
        match = max(matches, key=lambda match: (match.specificity, match.weight))
        if not match.weight:
            continue
        if not offer.is_named(match):
            included = offer, match
        elif named is None or match.weight > named[1].weight:
            named = offer, match
    chosen = named or included
    if chosen is None:
        return Format.TEXT_0_0_4, Format.TEXT_0_0_4.value
    fmt, escaping = chosen[0].format, chosen[1].escaping
    if fmt in _WITH_ESCAPING and escaping in _ESCAPING_SCHEMES:
        return fmt, f"{fmt.value}; escaping={escaping}"
    return fmt, fmt.value


@lru_cache(_REMEMBERED)
def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether an Accept-Encoding header allows gzip and, if it names `identity`, prefers gzip to that."""
    weights: dict[str, float] = {}
    for element in _elements(accept_encoding or ""):
        coding = "gzip" if element.value == "x-gzip" else element.value  # the same thing, RFC 9110, section 8.4.1.3
        weights[coding] = max(element.weight, weights.get(coding, 0.0))
    gzip = weights.get("gzip", weights.get("*", 0.0))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _elements(header: str) -> Iterator[_Element]:
    for element in _ELEMENT.findall(header):
        value, *parts = _PART.findall(element) or [""]
        parameters: dict[str, str] = {}
        for part in parts:
            name, _, text = part.partition("=")
            parameters.setdefault(name.strip().lower(), _unquoted(text.strip()).lower())
        weight = parameters.get("q", "1")
        # An element with an invalid weight is ignored.
        if value.strip() and _WEIGHT.fullmatch(weight):
            yield _Element(value.strip().lower(), parameters, min(float(weight), 1.0))


def _unquoted(text: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", text[1:].removesuffix('"')) if text.startswith('"') else text
