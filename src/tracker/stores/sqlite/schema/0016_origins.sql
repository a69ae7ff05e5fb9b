-- Where the caller of a change was: address, id of the call, user agent.
ALTER TABLE changes ADD COLUMN origin TEXT NOT NULL DEFAULT '';
