"""TLS towards TheEye: which authorities are trusted, and which certificate the exporter shows."""

import ssl
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from theeye_exporter.theeye.errors import Reason, UpstreamError
from theeye_exporter.theeye.fingerprints import Fingerprint, fingerprint

__all__ = ["TlsFileError", "TlsFiles", "Trust", "trust_in"]

_WORDS_OF_KEY: Final = {
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate in cert_file",
    "BAD_DECRYPT": "the key is encrypted; use a key without a password",
    "EE_KEY_TOO_SMALL": "the certificate is too weak for OpenSSL",
    "CA_KEY_TOO_SMALL": "the certificate is too weak for OpenSSL",
    "CA_MD_TOO_WEAK": "the certificate is too weak for OpenSSL",
}


class TlsFileError(Exception):
    """A file cannot be used for TLS.

    Attributes:
        key: the setting that names the file.
        path: the file.
        message: what is wrong with its content.
    """

    def __init__(self, key: str, path: Path, message: str) -> None:
        super().__init__(f"{key} {path}: {message}")
        self.key = key
        self.path = path
        self.message = message


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a TLS context is made of.

    Attributes:
        ca_file: certificates of the trusted authorities, or a folder of them; None for the usual public ones.
        cert_file: the exporter's own certificate, followed by intermediate ones.
        key_file: its key.
        verify: whether the server's certificate is checked.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    verify: bool = True

    @property
    def authorities(self) -> Path:
        """The file of the trusted authorities."""
        from requests.utils import DEFAULT_CA_BUNDLE_PATH  # noqa: PLC0415 - as below

        return self.ca_file or Path(DEFAULT_CA_BUNDLE_PATH)

    def context(self, *, own: bool) -> ssl.SSLContext:
        """Return a context for clients.

        Args:
            own: whether to show the exporter's own certificate.

        Raises:
            OSError: a file cannot be read; its `filename` is set.
            TlsFileError: a file has the wrong content.
        """
        # Imported here: settings contain such files, and flags, which are made of settings, need no HTTP library.
        from urllib3.util import create_urllib3_context  # noqa: PLC0415

        context = create_urllib3_context()
        if self.ca_file is not None:
            # As in Go, every certificate in the file is trusted, even an intermediate authority without its root.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.verify:
            self._trust(context)
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if own and self.cert_file is not None and self.key_file is not None:
            self._show(context, self.cert_file, self.key_file)
        return context

    def _trust(self, context: ssl.SSLContext) -> None:
        path = self.authorities
        if path.is_dir():
            context.load_verify_locations(capath=path)
            return
        _readable(path)
        try:
            context.load_verify_locations(path)
        except ssl.SSLError:
            raise TlsFileError("ca_file", path, "no certificate in PEM form, or a damaged one") from None

    @staticmethod
    def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
        _readable(certificate)
        _readable(key)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
        except ssl.SSLError:
            raise TlsFileError("cert_file", certificate, "no certificate in PEM form, or a damaged one") from None
        try:
            # Without a password, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password="")
        except ssl.SSLError as error:
            words = _WORDS_OF_KEY.get(error.reason or "", "no key in PEM form that OpenSSL can use")
            raise TlsFileError("key_file", key, words) from None

    @property
    def _paths(self) -> tuple[Path, ...]:
        return tuple(path for path in (self.ca_file, self.cert_file, self.key_file) if path is not None)

    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """Return the state of the files."""
        return tuple(map(fingerprint, self._paths))


def _readable(path: Path) -> None:
    with path.open("rb"):
        pass


class Trust:
    """The current TLS contexts of some files, which are read again when they change. Safe for threads."""

    def __init__(self, files: TlsFiles) -> None:
        self.files = files
        self._lock = threading.Lock()
        self._seen: tuple[Fingerprint, ...] | None = None
        self._contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None

    def contexts(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        """Return the context for TheEye, and the one for a proxy, which gets no certificate of ours.

        Raises:
            UpstreamError: a file cannot be used; it is tried again at the next call.
        """
        with self._lock:
            seen = self.files.fingerprints()
            if self._contexts is None or seen != self._seen:
                self._contexts = None
                self._contexts = self._read()
                self._seen = seen
            return self._contexts

    def _read(self) -> tuple[ssl.SSLContext, ssl.SSLContext]:
        try:
            return self.files.context(own=True), self.files.context(own=False)
        except TlsFileError as error:
            raise UpstreamError(Reason.TLS, str(error)) from None
        except OSError as error:
            raise UpstreamError(Reason.TLS, f"cannot read {error.filename}: {(error.strerror or '').lower()}") from None


@lru_cache(maxsize=256)
def trust_in(files: TlsFiles) -> Trust:
    """Return the one `Trust` of these files: a context takes a megabyte, and organisations usually share the files."""
    return Trust(files)
