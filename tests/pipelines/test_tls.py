"""With `cassandra.tls_ca` Spark connects to Cassandra by TLS and checks the CA."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipelines.spark.session import options
from pipelines.spark.trust_store import NAME
from schemas.config import Config
from schemas.errors import BadConfig
from store.connection import connect
from store.cql import read_migrations
from store.migrate import FOLDER
from tests.cassandra_node import CHECKOUT


def written(folder: Path) -> tuple[Path, Path]:
    """PEM files: a CA, and the certificate of 127.0.0.1 that it signed, with its key."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("ca", "node")]
    now = datetime.now(UTC)
    for n, file in enumerate(("ca.pem", "node.pem")):
        made = (
            x509.CertificateBuilder(names[0], names[n], keys[n].public_key(), n + 1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=n == 0, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
                critical=False,
            )
            .sign(keys[0], hashes.SHA256())
        )
        key = keys[n].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        (folder / file).write_bytes(pem + key if n else pem)
    return folder / "ca.pem", folder / "node.pem"


def asked(config: Config, tls_ca: Path, certificate: Path) -> "subprocess.CompletedProcess[str]":
    known = config.model_dump(mode="json")
    known["cassandra"]["tls_ca"] = str(tls_ca)
    conf = certificate.with_name("conf.yaml")
    conf.write_text(yaml.safe_dump(known))
    return subprocess.run(
        [sys.executable, "-m", "tests.pipelines.behind_tls", str(conf), str(certificate)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(900)  # starts a second Spark
def test_spark_driver_and_workers_connect_by_tls(spark_config: Config, tmp_path: Path):
    done = asked(spark_config, *written(tmp_path))
    assert done.stdout, done.stderr[-2000:]
    assert json.loads(done.stdout) == [len(read_migrations(FOLDER))] * 2


def test_ca_file_without_certificates_is_named_in_the_error(spark_config: Config, tmp_path: Path):
    empty = tmp_path / "ca.pem"
    for says in ("No such file", "ca.pem holds no certificate"):
        there = {"tls_ca": str(empty)}
        cassandra = spark_config.cassandra.model_copy(update=there)
        with pytest.raises(BadConfig, match=says):
            options(spark_config.model_copy(update={"cassandra": cassandra}))
        with pytest.raises(BadConfig, match=r"tls_ca: .*/ca\.pem holds no certificate"):
            connect(cassandra, keyspace=None)
        empty.write_text("nothing")


def test_files_in_a_folder_with_a_space_are_sent_to_executors(spark_config: Config, tmp_path: Path):
    tls_ca, _ = written(tmp_path)
    folder = tmp_path / "my reports"
    paths = spark_config.paths.model_copy(update={"reports": folder})
    cassandra = spark_config.cassandra.model_copy(update={"tls_ca": str(tls_ca)})
    sent = options(spark_config.model_copy(update={"cassandra": cassandra, "paths": paths}))
    files = sent["spark.files"].split(",")
    assert [url2pathname(urlsplit(file).path) for file in files] == [
        str(tls_ca),
        str(folder / NAME),
    ]
    assert " " not in sent["spark.files"]
