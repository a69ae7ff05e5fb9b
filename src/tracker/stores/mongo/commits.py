"""Commits in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.commits import Commit
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

NAME = "commits"
"""The collection of commits."""


@dataclass(eq=False)
class MongoCommits:
    """The `CommitStore` in MongoDB."""

    _database: Database

    async def add(self, commits: Sequence[Commit]) -> None:
        documents = {each["_id"]: each for each in map(document, commits)}

        async def step() -> None:
            collection = self._database.newest(NAME)
            for place in await writes.insert_all(collection, [*documents.values()]):
                stored = [*documents.values()][place]
                names = ["committed_at", "service", *(("head", "base") if stored["head"] else ())]
                names += ["merge"] if stored["merge"] else []
                change = {name: stored[name] for name in names}
                await writes.update(collection, {"_id": stored["_id"]}, {"$set": change})

        if documents:
            await self._database.run(step)

    async def find(self, shas: Sequence[str], repository: str | None = None) -> Sequence[Commit]:
        where: Document = {"sha": {"$in": [*shas]}}
        if repository is not None:
            where["repository"] = repository
        return await self._found(where)

    async def pushed(self, heads: Sequence[str]) -> Sequence[Commit]:
        return await self._found({"head": {"$in": [each for each in heads if each]}})

    async def _found(self, where: Document) -> Sequence[Commit]:
        async with self._database.asking(NAME) as commits:
            rows = commits.find(where, sort=[("repository", 1), ("sha", 1)])
            return [commit(row) async for row in rows]

    async def forget(self, before: int) -> None:
        where = {"committed_at": {"$lt": before}}
        await self._database.run(lambda: writes.delete_all(self._database.newest(NAME), where))


def document(each: Commit) -> Document:
    """Return the document of a commit."""
    return {"_id": f"{each.repository}@{each.sha}", **each._asdict()}


def commit(row: Document) -> Commit:
    """Return the commit in a document."""
    return Commit(**{name: row[name] for name in Commit._fields if name in row})
