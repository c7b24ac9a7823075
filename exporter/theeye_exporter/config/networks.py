"""Checks the files for TLS, and finds the proxy and the CA file that the environment variables name."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from theeye_exporter.config.addresses import parse_proxy_url
from theeye_exporter.config.document import Document, Location, cannot_read
from theeye_exporter.config.organization_files import Listing
from theeye_exporter.config.problems import Report, attempt
from theeye_exporter.config.sections import TheEyeSettings, TlsSettings
from theeye_exporter.config.sources import Sources
from theeye_exporter.theeye.trust import TlsFileError, TlsFiles
from theeye_exporter.values.errors import InvalidValueError
from theeye_exporter.values.parsers import parse_file_path, parse_hosts
from theeye_exporter.values.settings import merged

__all__ = ["Networks"]

_SECTION = "tls_config"
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Networks:
    """The way to TheEye of each organisation. Files that several organisations share are read once.

    Args:
        environ: the environment variables, with the names that curl and `requests` use.
        report: receives mistakes in the variables.
    """

    def __init__(self, environ: Mapping[str, str], report: Report) -> None:
        self._environ = environ
        self._report = report
        self._faults = cache(lambda files: tuple(_faults(files)))

    def check_tls(self, sources: Sources, listing: Listing) -> None:
        """Report files for TLS that cannot be used, for every organisation of a file."""
        general = sources.document, ("theeye", _SECTION)
        shared = sources.values["theeye"].get(_SECTION, {})
        self._check_section((general,), shared)
        for index, section in enumerate(listing.sections):
            if _SECTION in section:
                own = listing.document, ("organizations", index, _SECTION)
                self._check_section((own, general), merged(shared, section[_SECTION]))

    def _check_section(self, places: tuple[tuple[Document, Location], ...], values: Mapping[str, Any]) -> None:
        def report(key: str, error: InvalidValueError) -> None:
            document, place = next((document, place) for document, place in places if (*place, key) in document.lines)
            document.add_fault((*place, key), error)

        if any(document.is_faulty((*place, key)) for document, place in places for key in TlsSettings.model_fields):
            return
        for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if key in values and other not in values:
                report(key, InvalidValueError(f"{other} is missing"))
                return
        for key, error in self._faults(TlsSettings.model_validate(values).files):
            report(key, error)

    def of(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the environment says about the way to TheEye, where an organisation's own values say nothing.

        Args:
            own: the organisation's values, merged with the defaults.
        """
        environ, report = self._environ, self._report
        known = TheEyeSettings.model_validate({key: own[key] for key in TheEyeSettings.model_fields if key in own})
        found: dict[str, Any] = {}
        if known.tls_config.ca_file is None and (variable := _first(environ, _BUNDLES)):
            path = parse_file_path(environ[variable])
            for _, error in self._faults(TlsFiles(path)):
                report.add_environment(variable, error.message)
            found[_SECTION] = {"ca_file": path}
        if known.proxy_url is None and known.proxy_from_environment:
            scheme = known.url.partition(":")[0]
            if variable := _first(environ, _spellings(f"{scheme}_proxy", "all_proxy")):
                text = environ[variable].strip()
                address = text if "://" in text else f"http://{text}"
                found["proxy_url"] = attempt(parse_proxy_url, address, report.add_environment, variable)
                if known.no_proxy is None and (variable := _first(environ, _spellings("no_proxy"))):
                    found["no_proxy"] = attempt(parse_hosts, environ[variable], report.add_environment, variable)
        return {key: value for key, value in found.items() if value is not None}


def _faults(files: TlsFiles) -> Iterator[tuple[str, InvalidValueError]]:
    """Yield the setting whose file cannot be used, and why."""
    try:
        files.context(own=True)
    except TlsFileError as error:
        yield error.key, InvalidValueError(error.message)
    except OSError as error:
        paths = {"ca_file": files.ca_file, "cert_file": files.cert_file, "key_file": files.key_file}
        for key, path in paths.items():
            if path is not None and str(path) == str(error.filename):
                yield key, InvalidValueError(cannot_read(error, path))


def _spellings(*names: str) -> tuple[str, ...]:
    return tuple(spelling for name in names for spelling in (name, name.upper()))


def _first(environ: Mapping[str, str], variables: tuple[str, ...]) -> str | None:
    return next((variable for variable in variables if environ.get(variable, "").strip()), None)
