"""The shared store: a MongoDB database, for several servers."""

from tracker.stores.mongo.store import MongoStore

__all__ = ["MongoStore"]
