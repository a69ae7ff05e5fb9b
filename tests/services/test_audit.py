"""The audit log on both stores: what is recorded, once, and that nothing of it can be changed unnoticed."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import apsw
import pytest
import structlog
from tests.stores.observations import Observations
from tests.stores.samples import a_link, an_event, new_id

from tracker.audit.chain import checkpoint_in
from tracker.audit.verification import Verification
from tracker.domain.access import ANONYMOUS
from tracker.errors import SetupError
from tracker.pb import audit_pb
from tracker.services.audit.recorder import AuditRecorder
from tracker.services.audit.service import AuditService
from tracker.services.audit.signing import signing_key
from tracker.services.clock_guard import ClockGuard
from tracker.services.context import Call, Context, SystemClock
from tracker.stores.audit import AuditFilter
from tracker.stores.changes import ORIGIN, PRINCIPAL, Origin
from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.audit.chain import Checkpoint, Entry
    from tracker.stores.base import Store

TRIALS = 100


class Rows(Protocol):
    """The rows of the audit log, for whoever has the database in hand."""

    def read(self) -> list[dict[str, Any]]:
        """Return all rows, in order."""

    def write(self, rows: list[dict[str, Any]]) -> None:
        """Put others in their place."""


class FileRows:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        with closing(apsw.Connection(str(self._path))) as db:
            names = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('audit')")]
            return [dict(zip(names, row, strict=True)) for row in db.execute("SELECT * FROM audit")]

    def write(self, rows: list[dict[str, Any]]) -> None:
        with closing(apsw.Connection(str(self._path))) as db, db:
            db.set_busy_timeout(10_000)
            db.execute("DELETE FROM audit")
            marks = ", ".join("?" * len(rows[0]))
            db.executemany(f"INSERT INTO audit VALUES ({marks})", [tuple(row.values()) for row in rows])


class DatabaseRows:
    def __init__(self, mongo: MongoServers) -> None:
        self._audit = mongo.members[0].client.get_database("emptied")["audit"]

    def read(self) -> list[dict[str, Any]]:
        return [{"number": row.pop("_id"), **row} for row in self._audit.find(sort=[("_id", 1)])]

    def write(self, rows: list[dict[str, Any]]) -> None:
        self._audit.delete_many({})
        self._audit.insert_many([{"_id": row["number"]} | row for row in rows])


class Audited:
    """A store with an audit log, as a server has it."""

    def __init__(self, store: Store, rows: Rows) -> None:
        self.store = store
        self.rows = rows
        self.ahead = 0
        log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
        self.context = Context(lambda: store.now() + self.ahead, new_id, log, ZoneInfo("UTC"))
        self.recorder = self.server()
        self.service = AuditService(store.audit, self.recorder, self.context)
        self.call = Call("rest", "the-request", "[::1]:99")
        self.call.principal = ANONYMOUS

    def server(self, kept_days: float = 0) -> AuditRecorder:
        guard = ClockGuard(SystemClock(self.store.now))
        return AuditRecorder(self.store.audit, self.context, signing_key(None), kept_days, guard)

    async def record(self, recorder: AuditRecorder | None = None, after: int = 0) -> None:
        """Record the changes after a number, as the consumer does that the server runs."""
        oldest = await self.store.changes.oldest()
        await self.store.changes.end()
        changes = (await self.store.changes.read(oldest, 1_000)).changes
        await (recorder or self.recorder).record_changes(
            [each for each in changes if each.position.number > after]
        )

    async def entries(self) -> Sequence[Entry]:
        await self.store.check()  # ends the snapshot from before another connection changed the file
        return (await self.store.audit.read(AuditFilter(), 10_000)).entries

    async def problems(self, *kept: Checkpoint, trusted: Sequence[str] = ()) -> Sequence[str]:
        verification = Verification(trusted, kept)
        for entry in await self.entries():
            verification.add(entry)
        return verification.finish()


@pytest.fixture(params=["sqlite", "mongo"])
async def audited(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Audited]:
    if request.param == "sqlite":
        store: Store = SqliteStore(tmp_path / "tracker.db", Observations())
        rows: Rows = FileRows(tmp_path / "tracker.db")
    else:
        mongo: MongoServers = request.getfixturevalue("mongo")
        store, rows = MongoStore(mongo.emptied_database(), Observations()), DatabaseRows(mongo)
    await store.open()
    yield Audited(store, rows)
    await store.close()


async def some_history(audited: Audited) -> Checkpoint:
    """Make changes, and return a checkpoint that is kept elsewhere."""
    PRINCIPAL.set("user:alice")
    ORIGIN.set(Origin("[::1]:4711", "the-request", "curl/8").text)
    await audited.recorder.record_settings({"HOST": "localhost"})
    for number in range(6):
        await audited.store.events.create(an_event(f"event {number}"), None)
    await audited.record()
    await audited.recorder.checkpoint()
    for number in range(6):
        await audited.store.links.create(a_link("a", str(number)))
    await audited.record()
    entry = await audited.recorder.checkpoint()
    assert entry is not None
    kept = checkpoint_in(entry)
    assert kept is not None
    assert await audited.problems(kept, trusted=[audited.recorder.public_key]) == []
    return kept


def content(entry: Entry) -> Any:
    return json.loads(entry.content)


async def test_a_change_is_recorded_with_who_where_and_what_was_before_and_after(audited: Audited) -> None:
    PRINCIPAL.set("user:alice")
    ORIGIN.set(Origin("[::1]:4711", "the-request", "curl/8 (a client)").text)
    link, changed = a_link("a", "old"), a_link("a", "new")
    changed.id = link.id
    await audited.store.links.create(link)
    await audited.store.links.modify(link.id, lambda _: changed)
    await audited.store.links.delete(link.id)
    await audited.record()
    created, updated, deleted = await audited.entries()
    assert [(each.record, each.action, each.record_id) for each in (created, updated, deleted)] == [
        ("link", action, link.id) for action in ("created", "updated", "deleted")
    ]
    who = {"principal": "user:alice", **Origin("[::1]:4711", "the-request", "curl/8 (a client)")._asdict()}
    whole = json.loads(link.to_json())
    assert content(created) == who | {"after": whole}
    assert content(updated) == who | {"before": {"name": "old"}, "after": {"name": "new"}}
    assert content(deleted) == who | {"before": whole | {"name": "new"}}


async def test_each_change_is_recorded_once_whoever_records_it_how_often(audited: Audited) -> None:
    for number in range(5):
        await audited.store.events.create(an_event(str(number)), None)
    other = audited.server()
    for recorder in (
        audited.recorder,
        other,
        audited.recorder,
    ):  # as after a crash before the position is stored
        await audited.record(recorder)
    await audited.store.events.create(an_event("5"), None)
    await audited.record(other)
    entries = await audited.entries()
    assert [each.position for each in entries] == [1, 2, 3, 4, 5, 6]
    assert [content(each)["after"]["title"] for each in entries] == [*"012345"]
    assert await audited.problems() == []


async def test_changes_that_were_forgotten_before_they_were_recorded_have_an_entry(audited: Audited) -> None:
    for number in range(3):
        await audited.store.events.create(an_event(str(number)), None)
    await audited.record()
    for number in range(3):
        await audited.store.events.create(an_event(str(number)), None)
    await audited.record(after=5)
    *_, lost, last = await audited.entries()
    assert (lost.record, lost.action, content(lost)["after"], content(lost)["before"]) == (
        "audit",
        "lost",
        3,
        6,
    )
    assert last.position == 6
    assert await audited.problems() == []


async def test_a_start_records_which_settings_differ_from_those_of_the_last_one(audited: Audited) -> None:
    for host in ("localhost", "localhost", "::"):
        await audited.server().record_settings({"HOST": host, "MONGO_URI": "mongodb://***@db"})
    first, second = await audited.entries()
    assert content(first)["after"] == {"HOST": "localhost", "MONGO_URI": "mongodb://***@db"}
    assert (content(second)["before"], content(second)["after"]) == ({"HOST": "localhost"}, {"HOST": "::"})


def edited(row: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Return a row with another value in one column."""
    name = dice.choice([name for name in row if name not in {"number", "_id"}])
    match row[name]:
        case int(number):
            return row | {name: number + 1}
        case bytes(salt):
            return row | {name: bytes([salt[0] ^ 1, *salt[1:]])}
        case text:
            return row | {name: text.replace("a", "b", 1) if "a" in text else f"{text} "}


def tampered(rows: list[dict[str, Any]], kept: Checkpoint, dice: random.Random) -> list[dict[str, Any]]:
    """Return other rows up to a checkpoint: changed in one way, in one place."""
    place = dice.randrange(kept.number)
    before, row, after = rows[:place], rows[place], rows[place + 1 :]
    match dice.choice([*["edit"] * 5, "delete", "swap", "cut", "cut the beginning", "insert"]):
        case "edit":
            return [*before, edited(row, dice), *after]
        case "delete":
            return [*before, *after]
        case "swap":
            return [*before, after[0] | {"number": place + 1}, row | {"number": place + 2}, *after[1:]]
        case "cut":
            return before or after
        case "cut the beginning":
            return after
        case _:
            changed = [*before, row, row, *after]
            return [each | {"number": number} for number, each in enumerate(changed, 1)]


async def test_every_edited_deleted_moved_or_inserted_row_is_found(audited: Audited) -> None:
    kept = await some_history(audited)
    rows, dice = audited.rows.read(), random.Random(17)
    found = 0
    for _ in range(TRIALS):
        audited.rows.write(tampered(rows, kept, dice))
        found += bool(await audited.problems(kept))
    assert found == TRIALS
    audited.rows.write(rows)
    assert await audited.problems(kept) == []


async def test_a_log_that_was_written_anew_is_found_by_its_key_or_by_a_kept_checkpoint(
    audited: Audited,
) -> None:
    kept = await some_history(audited)
    trusted = audited.recorder.public_key
    await audited.store.audit.forget(10_000)
    forger = audited.server()
    await audited.record(forger)
    await forger.checkpoint()
    assert await audited.problems() == []  # in itself, it is as good as the first one
    assert await audited.problems(kept) != []
    assert await audited.problems(trusted=[trusted]) != []


async def test_a_server_finds_that_what_it_wrote_was_cut_off(audited: Audited) -> None:
    await some_history(audited)
    rows = audited.rows.read()
    audited.rows.write(rows[:-3])
    await audited.store.events.create(an_event("next"), None)
    await audited.record()
    entries = await audited.entries()
    cut = next(each for each in entries if each.action == "cut")
    assert content(cut)["written"] == len(rows)
    assert content(cut)["found"] == len(rows) - 3


async def test_a_checkpoint_after_the_end_was_cut_off_signs_the_entry_that_says_so(audited: Audited) -> None:
    await some_history(audited)
    audited.rows.write(audited.rows.read()[:-3])
    await audited.store.check()
    entry = await audited.recorder.checkpoint()
    assert entry is not None
    assert [each.action for each in (await audited.entries())[-2:]] == ["cut", "checkpoint"]
    assert await audited.problems() == []


async def test_a_checkpoint_is_answered_that_other_entries_follow_at_once(audited: Audited) -> None:
    await audited.recorder.record_settings({"HOST": "localhost"})
    asked = audit_pb.CreateAuditCheckpointRequest()
    answer, *_ = await asyncio.gather(
        audited.service.create_audit_checkpoint(asked, audited.call),
        audited.recorder.record("settings", "changed", {}),
    )
    assert answer.number >= 1
    assert answer.signature
    assert await audited.problems() == []


async def test_personal_values_are_found_and_erased_and_the_chain_stays_valid(audited: Audited) -> None:
    kept = await some_history(audited)
    request = audit_pb.ListAuditEntriesRequest(mentions="alice")
    listed = (await audited.service.list_audit_entries(request, audited.call)).entries
    assert len(listed) == 12
    erased = await audited.service.erase_audit_value(
        audit_pb.EraseAuditValueRequest(value="user:alice"), audited.call
    )
    assert erased.entries == 12
    assert "alice" not in str(audited.rows.read())
    assert not (await audited.service.list_audit_entries(request, audited.call)).entries
    entries = await audited.entries()
    assert {content(each)["principal"] for each in entries if each.record == "link"} == {"[erased]"}
    assert {content(each)["principal"] for each in entries if each.action == "erased"} == {"anonymous"}
    assert await audited.problems(kept) == []
    rows = audited.rows.read()
    rows[2]["content"] = rows[2]["content"].replace("[erased]", "mallory")
    audited.rows.write(rows)
    assert await audited.problems(kept) == ["the content of entry 3 was changed"]


async def test_old_entries_are_pruned_up_to_a_checkpoint_that_the_rest_begins_with(
    audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.audit.recorder._KEEP_SECONDS", 0)
    kept = await some_history(audited)
    recorder = audited.server(kept_days=1)
    await recorder.keep()
    assert (await audited.entries())[0].number == 1
    audited.ahead = 25 * 3_600 * MICROS
    await recorder.keep()
    entries = await audited.entries()
    assert entries[0].number == kept.number + 1
    assert checkpoint_in(entries[0]) == kept
    assert await audited.problems(kept) == [f"entry {kept.number}, of a checkpoint that was kept, is missing"]
    assert await audited.problems() == []


def test_a_signing_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "audit.pem"
    assert signing_key(file).public == signing_key(file).public
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["audit.pem"]
    file.write_text("no key")
    with pytest.raises(SetupError, match="has no private key"):
        signing_key(file)
