// Sends an event in each mode by the SDK for CloudEvents, and prints the statuses. Argument: the address.

import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";

const event = (id) =>
  new CloudEvent({
    id,
    source: "/ci/cart",
    type: "com.example.deployed",
    subject: "Café",
    data: { title: "Cart déployé", service: "cart", environment: "prod", status: "success" },
  });
const [address] = process.argv.slice(2);
const transport = httpTransport(`${address}/cloudevents`);
for (const [mode, id] of [[Mode.BINARY, "e-1"], [Mode.STRUCTURED, "e-2"]]) {
  for (let times = 0; times < 2; times += 1) await emitterFor(transport, { mode })(event(id));
}
