"""Connect Spark to Cassandra by TLS: a process that `test_tls.py` starts.

Behind the TLS port is the Cassandra node of the test run.
"""

import asyncio
import json
import ssl
import sys
import threading
from contextlib import closing
from pathlib import Path

from pipelines.replay import CassandraAccess
from pipelines.spark.session import spark_session
from pipelines.spark.tables import CATALOG
from schemas.config_file import load_config


def encrypted(node_port: int, certificate: Path) -> int:
    """The port of a TLS proxy to the node, in a thread of this process."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    port: list[int] = []
    ready = threading.Event()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node_reader, node_writer = await asyncio.open_connection("127.0.0.1", node_port)
        await asyncio.gather(pump(reader, node_writer), pump(node_reader, writer))

    async def serve() -> None:
        server = await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context)
        port.append(server.sockets[0].getsockname()[1])
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    ready.wait()
    return port[0]


def main(conf: Path, certificate: Path) -> None:
    """Print how many rows of `migrations` Spark's JVM and one of its Python workers read."""
    config = load_config(conf)
    there = {"port": encrypted(config.cassandra.port, certificate)}
    cassandra = config.cassandra.model_copy(update=there)
    spark = spark_session(config.model_copy(update={"cassandra": cassandra}))
    by_spark = spark.table(f"{CATALOG}.{cassandra.keyspace}.migrations").count()
    access = CassandraAccess(cassandra)

    def ask(_: int) -> int:
        with closing(access.open()) as database:
            return len(database.execute("SELECT name FROM migrations"))

    [by_worker] = spark.sparkContext.parallelize([0], 1).map(ask).collect()
    sys.stdout.write(json.dumps([by_spark, by_worker]))


if __name__ == "__main__":
    main(*(Path(name) for name in sys.argv[1:]))
