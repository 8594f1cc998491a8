// The gateway's own page: routes, backends, certificates, the last reload, and how many requests come now.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";

export default async function (browser) {
  const { edge, keys, folder } = browser.world;

  // It is shown to who looks after the server.
  const owner = await browser.person("owner", "/account");
  assert.equal(await owner.get("link", "Gateway").count(), 0);

  const person = await browser.person("server", "/account");
  await person.click("link", "Gateway");
  await person.heading("Gateway");
  const region = (name) => person.page.getByRole("region", { name });
  await region("Backends").getByRole("row", { name: /main/ }).getByText("Healthy", { exact: true }).waitFor();
  await region("Configuration").getByText("Taken over", { exact: true }).waitFor();
  await region("Certificates").getByText("No listener has TLS").waitFor();
  await person.look("gateway");
  const rows = region("Routes").locator("tbody tr");
  assert.equal(await rows.count(), 15);
  await person.page.getByRole("button", { name: /^Show all \d+ routes$/ }).click();
  await rows.filter({ hasText: "/v1/openapi/templates" }).first().waitFor();
  assert.ok((await rows.count()) > 15);
  await person.click("button", "Show the busiest only");

  // Requests come, and the page says so without being asked.
  const send = () => fetch(`${edge}/v1/openapi/templates`, { headers: { "X-API-Key": keys["Depot 01"] } });
  for (let count = 0; count < 20; count += 1) assert.equal((await send()).status, 200);
  assert.equal((await fetch(`${edge}/v1/openapi/templates`)).status, 401);
  await rows.first().filter({ hasText: "/v1/openapi/templates" }).filter({ hasText: "1 (5 %)" }).waitFor();
  await rows.first().filter({ hasText: "21" }).waitFor();
  const chart = region("Requests").getByRole("img");
  await chart.locator("canvas").waitFor();
  assert.match(await chart.getAttribute("aria-label"), /^Requests a second over the last 3 minutes/);

  // A configuration that is no good is refused, and that is said.
  const config = `${folder}/portcullis.yaml`;
  const good = await readFile(config, "utf8");
  await writeFile(config, "listeners: nonsense");
  await person.see("The last reload was refused");
  await person.look("gateway-reload-refused");
  await writeFile(config, good);
  await person.gone("The last reload was refused");

  // A gateway that does not answer, and one that does again.
  person.expectRefusal(503, /\/metrics$/);
  await person.page.route("**/metrics", (route) => route.fulfill({ status: 503, body: "" }));
  await person.see("The gateway's database does not answer");
  await person.page.unroute("**/metrics");
  await person.gone("The gateway's database does not answer");
}
