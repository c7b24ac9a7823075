"""What the pages for people have in common: the layout, the style, the script, and what they may load."""

import base64
import hashlib
import platform
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from theeye_exporter import __version__
from theeye_exporter.web import humanize
from theeye_exporter.web.organization_view import Moment

__all__ = ["CONTENT_SECURITY_POLICY", "SCRIPT", "SCRIPT_PATH", "render_page"]

SCRIPT_PATH: Final = "/-/status.js"
SCRIPT: Final = files("theeye_exporter.web").joinpath("templates/landing.js").read_bytes()

_BACKTICKS: Final = re.compile("`([^`]+)`")


def render_page(
    template: str, *, headline: str, now: float, started: float, links: Mapping[str, str], **more: Any
) -> bytes:
    """Render a page as UTF-8.

    Args:
        template: its name without the ending.
        headline: what is most important, in one sentence.
        now: Unix time, in seconds.
        started: Unix time at which the process started.
        links: paths of the pages from the root, by link text.
        more: what the template itself needs.
    """
    return (
        _ENVIRONMENT.get_template(f"{template}.html")
        .render(
            headline=headline,
            # Relative, because a proxy may serve the exporter under another path.
            links={words: f".{path}" for words, path in links.items()},
            script=f".{SCRIPT_PATH}?{_SCRIPT_HASH}",
            now=humanize.utc(now),
            started=Moment.of(started, now),
            version=__version__,
            python=platform.python_version(),
            style=Markup(_STYLE),  # noqa: S704 - our own file, in a <style> element, where escapes would not be undone
            **more,
        )
        .encode()
    )


def _coded(text: str) -> Markup:
    """Format text between backticks, such as settings in advice, as code."""
    # escape() has already escaped the text.
    return Markup(_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704


_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("theeye_exporter.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(clean=humanize.clean, coded=_coded, duration=humanize.duration, span=humanize.span)
_STYLE: Final = _ENVIRONMENT.get_template("landing.css").render()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_SCRIPT_HASH: Final = hashlib.sha256(SCRIPT).hexdigest()[:16]

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Allows only what the page needs: its style sheet, identified by its hash, its icon, its script, and itself again."""
