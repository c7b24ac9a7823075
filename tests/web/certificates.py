"""Certificates of an authority that only the tests know."""

import datetime as dt
import ssl
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from theeye_exporter.web.connection import ConnectionTerms
from theeye_exporter.web.server import ConnectionPolicy

__all__ = ["Authority"]


class Authority:
    """Issues certificates and puts them into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)
        self.server = self.issue("server", "127.0.0.1", "localhost")

    def issue(
        self, name: str, *identities: str, common_name: str | None = None, not_after: dt.datetime | None = None
    ) -> tuple[Path, Path]:
        """Write a certificate and its key, and return their paths."""
        issued = self._ca.issue_cert(*identities, common_name=common_name, not_after=not_after)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return certificate, key

    def issue_by_intermediate(self, name: str, *identities: str) -> tuple[Path, Path]:
        """Write a certificate of an authority that ours vouches for, whose own goes into `intermediate.pem`."""
        known, self._ca = self._ca, self._ca.create_child_ca()
        try:
            self._ca.cert_pem.write_to_path(self.folder / "intermediate.pem")
            return self.issue(name, *identities)
        finally:
            self._ca = known

    def issue_expired(self, name: str, *identities: str) -> tuple[Path, Path]:
        """Write a certificate that was good until yesterday, and its key."""
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        return self.issue(name, *identities, not_after=yesterday)

    def issue_for_uri(self, name: str, uri: str) -> tuple[Path, Path]:
        """Write a certificate whose only alternative name is a URI, and its key."""
        authority = x509.load_pem_x509_certificate(self._ca.cert_pem.bytes())
        signer = load_pem_private_key(self._ca.private_key_pem.bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        own = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(authority.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
            .sign(signer, hashes.SHA256())
        )
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        paths[1].write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return paths

    def issue_from_elsewhere(self, name: str, *identities: str) -> tuple[Path, Path]:
        """Write a certificate of an authority that nobody knows."""
        known, self._ca = self._ca, trustme.CA()
        try:
            return self.issue(name, *identities)
        finally:
            self._ca = known

    def renew(self) -> None:
        """Become another authority, in the same file."""
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.file)

    def files(self, scheme: str) -> tuple[Path, ...]:
        """Return the server's certificate and key if there is TLS."""
        return self.server if scheme == "https" else ()

    def policy(self, scheme: str) -> ConnectionPolicy:
        """Return what lets everybody in, over TLS or without."""
        if scheme == "http":
            return ConnectionTerms
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server)
        return lambda: ConnectionTerms(context)

    def client(self, scheme: str, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext | None:
        """Return what a client needs to trust the server and to show a certificate; None without TLS."""
        return None if scheme == "http" else self.context(certificate)

    def context(self, certificate: tuple[Path, Path] | None = None) -> ssl.SSLContext:
        """Return what a client needs to trust the server and to show a certificate."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(*certificate)
        return context

    def client_hello(self) -> bytes:
        """Return what a client says first."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            return outgoing.read()
        raise AssertionError("nobody has answered yet")
