// Sends events by New Relic's telemetry SDK. Arguments: the server's host and port, and an API key.

import { telemetry } from "@newrelic/telemetry-sdk";

const [host, port, apiKey] = process.argv.slice(2);
const { Event, EventBatch, EventClient } = telemetry.events;
const attributes = { appName: "cart", env: "prod", user: null, nested: { replicas: 3 } };
const batch = new EventBatch({ zone: "b" }, [new Event("Deployment", attributes), new Event("incident", {}, 1700000000000)]);
new EventClient({ apiKey, host, port }).send(batch, (error, response, body) => {
  console.log(JSON.stringify({ error: error?.message ?? null, status: response?.statusCode, body }));
  process.exit();
});
