"""The CA that Cassandra's certificates are checked with, as Java reads it."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)

from pipelines.spark.shared_file import replace_file
from schemas.errors import BadConfig

NAME = "cassandra-ca.p12"


def write_trust_store(tls_ca: Path, folder: Path) -> Path:
    """Write certificates of a PEM file into a trust store (PKCS 12); they are no secret.

    Args:
        tls_ca: `cassandra.tls_ca`.
        folder: created if it does not exist.

    Raises:
        BadConfig: the file is not there, or holds no certificate.
    """
    try:
        certificates = x509.load_pem_x509_certificates(tls_ca.read_bytes())
    except (OSError, ValueError) as problem:
        raise BadConfig(
            f"cassandra.tls_ca: {tls_ca} holds no certificate that can be read: {problem}",
            field="cassandra.tls_ca",
            value=str(tls_ca),
        ) from problem
    entries = [
        PKCS12Certificate(certificate, b"ca-%d" % n) for n, certificate in enumerate(certificates)
    ]
    return replace_file(folder / NAME, serialize_java_truststore(entries, NoEncryption()))
