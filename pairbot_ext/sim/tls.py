"""A self-signed certificate for a simulated server, made anew at every start and never kept."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = "127.0.0.1"
_VALID_DAYS = 30


def self_signed_pem(host: str | None = None) -> tuple[bytes, bytes]:
    """Certificate and private key (PEM) for 127.0.0.1, valid from yesterday for 30 days.

    Yesterday, because the two processes may not agree on the clock to the second.

    :param host: a name the certificate is for instead; a client that trusts the certificate accepts it.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pairbot simulated exchange")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(LOOPBACK)) if host is None else x509.DNSName(host)]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def server_context() -> ssl.SSLContext:
    """A TLS server context. The key touches the disk only while OpenSSL reads it, in a private directory."""
    certificate, key = self_signed_pem()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory(prefix="pairbot-tls-") as directory:
        path = Path(directory) / "loopback.pem"
        path.write_bytes(key + certificate)
        context.load_cert_chain(path)
    return context
