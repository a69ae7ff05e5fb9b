// Creates, gets and lists events by Datadog's client for TypeScript. Arguments: the address, and an API key.

import { client, v1, v2 } from "@datadog/datadog-api-client";

const [address, key] = process.argv.slice(2);
const configuration = client.createConfiguration({
  baseServer: new client.BaseServerConfiguration(address, {}),
  authMethods: { apiKeyAuth: key, appKeyAuth: "a" },
});
const events = new v1.EventsApi(configuration);
const { event } = await events.createEvent({
  body: { title: "Déployé", text: "done", alertType: "success", tags: ["service:cart", "env:prod"] },
});
const got = await events.getEvent({ eventId: event.id });
const now = Math.floor(Date.now() / 1000);
const listed = await events.listEvents({ start: now - 60, end: now + 60, tags: "service:cart" });
const newer = new v2.EventsApi(configuration);
const attributes = {
  title: "Flag on",
  category: "change",
  attributes: { changedResource: { name: "fallback", type: "feature_flag" } },
  tags: ["service:cart"],
};
const made = await newer.createEvent({ body: { data: { type: "event", attributes } } });
const found = [];
for await (const each of newer.searchEventsWithPagination({ body: { page: { limit: 1 } } })) {
  found.push(each.attributes.attributes.title);
}
const dora = new v2.DORAMetricsApi(configuration);
const deployment = await dora.createDORADeployment({
  body: { data: { attributes: { service: "shop", startedAt: now - 60, finishedAt: now, version: "1.2" } } },
});
console.log(
  JSON.stringify({
    created: event.title,
    got: [got.event.title, got.event.tags],
    listed: listed.events.map((each) => each.title),
    v2: (await newer.getEvent({ eventId: made.data.attributes.attributes.evt.uid })).data.attributes.attributes.title,
    found,
    deployment: deployment.data.type,
  }),
);
