"""Builds an `ssl` context from the TLS settings of a web configuration file.

The format uses the names of Go's `crypto/tls`.
"""

import contextlib
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from theeye_exporter.values.errors import InvalidValueError

__all__ = ["CIPHERS", "CURVES", "VERSIONS", "ClientAuth", "TlsContext", "check_certificates", "check_key"]

ClientAuth = Literal["NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]
"""All of Go's except RequireAnyClientCert: Python's ssl only requests a certificate in order to verify it."""

VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_AES_128_GCM_SHA256": None,
    "TLS_AES_256_GCM_SHA384": None,
    "TLS_CHACHA20_POLY1305_SHA256": None,
}
"""OpenSSL's names by Go's; None for those of TLS 1.3, among which neither Go nor Python allows a choice."""

CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
    "X25519MLKEM768": "X25519MLKEM768",
    "SecP256r1MLKEM768": "SecP256r1MLKEM768",
    "SecP384r1MLKEM1024": "SecP384r1MLKEM1024",
}
"""OpenSSL's names by Go's; old versions of OpenSSL do not know those with MLKEM."""

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_TOO_WEAK: Final = frozenset({"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})


class TlsContext:
    """Builds a context step by step; each step reports what is wrong with its arguments."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.options |= ssl.OP_NO_RENEGOTIATION  # clients could misuse it to load the server

    def set_versions(self, minimum: str, maximum: str) -> None:
        """Set the lowest and the highest version of TLS."""
        if VERSIONS[minimum] > VERSIONS[maximum]:
            raise InvalidValueError(f"min_version ({minimum}) is above max_version ({maximum})")
        self.context.minimum_version = VERSIONS[minimum]
        self.context.maximum_version = VERSIONS[maximum]

    def set_ciphers(self, names: Sequence[str]) -> None:
        """Set the ciphers for TLS 1.2, in this order."""
        ciphers = [cipher for name in names if (cipher := CIPHERS[name])]
        for cipher in ciphers:
            try:
                self.context.set_ciphers(cipher)
            except ssl.SSLError:
                name = next(name for name in names if CIPHERS[name] == cipher)
                raise InvalidValueError(f"{name} is not in {ssl.OPENSSL_VERSION}") from None
        if ciphers:
            self.context.set_ciphers(":".join(ciphers))
        elif self.context.maximum_version < ssl.TLSVersion.TLSv1_3:
            raise InvalidValueError("none of the cipher suites is for TLS 1.2, and max_version allows no other")
        else:
            self.context.minimum_version = ssl.TLSVersion.TLSv1_3

    def prefer_server_ciphers(self, *, prefer: bool) -> None:
        """Set whether the server's or the client's order of ciphers counts."""
        if prefer:
            self.context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
        else:
            self.context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE

    def set_curve(self, names: Iterable[str]) -> str:
        """Set the first of the curves that this OpenSSL has, and return its name; Python's ssl can only set one."""
        for name in names:
            try:
                self.context.set_ecdh_curve(CURVES[name])
            except (ValueError, ssl.SSLError):
                continue
            return name
        raise InvalidValueError(f"none of the curves is in {ssl.OPENSSL_VERSION}")

    def load_certificate(self, certificate: bytes, key: bytes) -> None:
        """Load the server's certificate, followed by its intermediate certificates, and its key."""
        try:
            with _in_memory(certificate) as certificate_path, _in_memory(key) as key_path:
                # Without a password, OpenSSL would ask for one on the terminal.
                self.context.load_cert_chain(certificate_path, key_path, password="")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise InvalidValueError("the key does not belong to the certificate") from None
            if error.reason in _TOO_WEAK:
                raise InvalidValueError(f"the certificate is too weak for OpenSSL ({error.reason})") from None
            raise InvalidValueError("not a key that OpenSSL can use with the certificate") from None
        except OSError as error:  # too many open files
            raise InvalidValueError(f"cannot be handed to OpenSSL ({error.strerror})") from None

    def set_clients(self, auth: ClientAuth, authorities: bytes | None) -> None:
        """Set whether clients need a certificate, and which authorities may have signed it."""
        if authorities is not None:
            self.context.load_verify_locations(cadata=check_certificates(authorities))
            # As in Go, every certificate in the file is trusted, even an intermediate authority without its root.
            self.context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if auth == "VerifyClientCertIfGiven":
            self.context.verify_mode = ssl.CERT_OPTIONAL
        elif auth == "RequireAndVerifyClientCert":
            self.context.verify_mode = ssl.CERT_REQUIRED


def check_certificates(content: bytes) -> str:
    """Return the certificates in a file, without any text around them."""
    found = b"\n".join(_CERTIFICATE.findall(content)).decode("ascii")
    if not found:
        raise InvalidValueError("no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=found)
    except ssl.SSLError:
        raise InvalidValueError("a damaged certificate") from None
    return found


def check_key(content: bytes) -> None:
    """Check that there is a key, and that it needs no password."""
    if b"PRIVATE KEY-----" not in content:
        raise InvalidValueError("no key in PEM form (-----BEGIN PRIVATE KEY-----)")
    if b"ENCRYPTED" in content:
        raise InvalidValueError("the key is encrypted", "use a key without a password")


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """Yield a path for reading the content; Python's ssl only loads certificates from files."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 - a descriptor has no path
        file.write(content)
        yield f"/proc/self/fd/{descriptor}"
