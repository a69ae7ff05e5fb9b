"""Makes a small store with the server of a release, as text that the test of upgrades reads.

Run `python -m tools.released_store` before each release that has a new step of the schema: it writes
`tests/stores/released/VERSION.sql`, or with `--mongo-uri`, for that store, `VERSION.ndjson`. `--source` names
the folder `src` of another release.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
from bench.load import free_ports
from bson import json_util
from pymongo import MongoClient

ROOT = Path(__file__).resolve().parent.parent
STORES = ROOT / "tests" / "stores" / "released"
API = "/api/v1alpha1"
_SECONDS = 30
_REMADE = "words_of_updated"
"""A trigger that every server makes anew, by the fields that it knows."""
_COMMENT = re.compile(r"--[^\n]*")


def schema_digest(db: apsw.Connection) -> str:
    """Return the SHA-256 of what the schema says, whatever its comments."""
    rows = db.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    )
    said = [(kind, name, _said(str(sql))) for kind, name, sql in rows if name != _REMADE]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _said(sql: str) -> str:
    return " ".join(_COMMENT.sub("", sql).split())


class _Server:
    """A server of a release, which is given records."""

    def __init__(self, source: Path, database: Path, mongo_uri: str) -> None:
        grpc, self._port, metrics = free_ports(3)
        places = {"HOST": "127.0.0.1", "GRPC_PORT": grpc, "HTTP_PORT": self._port, "METRICS_PORT": metrics}
        given = {
            "PYTHONPATH": source,
            "DATABASE_PATH": database.name,
            "LOG_LEVEL": "warning",
            "MONGO_URI": mongo_uri,
        } | places
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tracker", "serv"],
            env=os.environ | {name: str(value) for name, value in given.items()},
            cwd=database.parent,
        )

    def call(self, verb: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
        """Return the answer of a call; a release may not know it."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(verb, path, text, {"content-type": "application/json", **headers})
            answer = connection.getresponse()
            read = answer.read()
        if answer.status >= 400:  # noqa: PLR2004 - an error of HTTP
            sys.stderr.write(f"refused: {verb} {path}: {answer.status}\n")
            return {}
        found: dict[str, Any] = json.loads(read or b"{}")
        return found

    def wait(self) -> None:
        """Wait until the server answers."""
        for _ in range(20 * _SECONDS):
            try:
                self.call("GET", "/readyz")
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit("the server does not start")

    def stop(self) -> None:
        """Stop the server, after its background tasks had their turn."""
        time.sleep(1)
        self._process.terminate()
        self._process.wait(_SECONDS)


def _fill(server: _Server) -> None:
    def event(title: str, **attributes: str) -> str:
        fields = {"message": title.lower(), "priority": "P3", "service": "shop-api", "source": "ci"}
        links = {"ticket": "SHOP-1", "pullRequestLink": "https://git.example.com/pull/1"}
        made = server.call(
            "POST", f"{API}/event", {"title": title, "attributes": fields | attributes, "links": links}
        )
        return str(made["event"]["metadata"]["id"])

    deployed = {"type": "deployment", "environment": "production", "owner": "alice"}
    first = event("Deploy shop-api 1.0", status="start", **deployed)
    fields = {"message": "done", "priority": "P3", "service": "shop-api", "source": "ci", "status": "success"}
    server.call(
        "PUT", f"{API}/event", {"id": first, "title": "Deploy shop-api 1.0", "attributes": fields | deployed}
    )
    event("Checkout is down", type="incident", status="open", environment="production", relatedId=first)
    times = {"startDate": "2026-01-01T10:00:00Z", "endDate": "2026-01-01T10:30:00Z"}
    event("Rotate certificates", type="operation", status="success", environment="development", **times)
    event("Deploy shop-api 1.1", type="deployment", status="in_progress", environment="preproduction")
    comment = {"entry": {"user": "bob", "comment": "looks good"}}
    server.call("POST", f"{API}/event/{first}/changelog", comment)
    entry = {"name": "shop-api", "type": "project", "languages": "python", "owner": "shop", "version": "1.0"}
    server.call("PUT", f"{API}/catalog", entry)
    server.call("POST", "/api/links", {"name": "Dashboard", "url": "https://grafana.example.com"})
    lock = {"service": "shop-db", "environment": "production", "who": "bob"}
    server.call("POST", f"{API}/lock", lock, **{"idempotency-key": "one"})
    hook = {"name": "chat", "url": "https://chat.example.com/hook", "disabled": True}
    server.call("POST", f"{API}/webhooks", hook)
    window = {"startsAt": "2026-12-24T00:00:00Z", "endsAt": "2026-12-27T00:00:00Z"}
    server.call("POST", f"{API}/freeze-window", {"title": "Holidays", "type": "hard", **window})


def _rows(db: apsw.Connection) -> str:
    """Return the rows of a store as SQL."""
    out = io.StringIO()
    names = (
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1"
    )
    for (name,) in db.execute(names).fetchall():
        asked = f"SELECT name FROM pragma_table_info('{name}')"  # noqa: S608 - our own tables
        columns = ", ".join(f'"{column}"' for (column,) in db.execute(asked))
        for row in db.execute(f"SELECT {columns} FROM {name}"):  # noqa: S608 - the same
            values = ", ".join(map(apsw.format_sql_value, row))
            out.write(f"INSERT OR REPLACE INTO {name} VALUES ({values});\n")  # noqa: S608 - the same
    return out.getvalue()


def _documents(uri: str) -> tuple[int, str]:
    """Return the version of a database, and its documents as lines of JSON."""
    with MongoClient[dict[str, Any]](uri) as client:
        database = client.get_default_database()
        lines = [
            json_util.dumps({"in": name, "document": document}) + "\n"
            for name in sorted(database.list_collection_names())
            for document in database[name].find(sort=[("_id", 1)])
        ]
        schema = database["tracker"].find_one({"_id": "schema"})
        return schema["version"] if schema else 0, "".join(lines)


def main() -> None:
    """Make the store of a release."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--source", type=Path, default=ROOT / "src", help="its folder `src`")
    arguments.add_argument("--mongo-uri", default="", help="an empty MongoDB database, in place of a file")
    given = arguments.parse_args()
    STORES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "tracker.db")
        server = _Server(given.source.resolve(), database, given.mongo_uri)
        try:
            server.wait()
            _fill(server)
        finally:
            server.stop()
        if given.mongo_uri:
            version, text = _documents(given.mongo_uri)
            target = STORES / f"{version:02}.ndjson"
        else:
            with closing(apsw.Connection(str(database))) as db:
                text = f"-- schema {schema_digest(db)}\n{_rows(db)}"
                target = STORES / f"{db.pragma('user_version'):02}.sql"
    target.write_text(text, "utf-8")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
