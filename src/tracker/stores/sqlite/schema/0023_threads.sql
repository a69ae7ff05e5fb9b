-- Messages of a thread are sent one after the other; `receipt` says where the receiver has one.
ALTER TABLE webhook_deliveries ADD COLUMN thread  TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook_deliveries ADD COLUMN receipt TEXT NOT NULL DEFAULT '';

CREATE INDEX webhook_deliveries_of_thread ON webhook_deliveries (webhook, thread, created_at, id) WHERE thread != '';
