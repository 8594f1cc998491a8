// How a key is used: empty at first, then uses and refusals by reason, in the chart, in words and in the table.

import assert from "node:assert/strict";

export default async function (browser) {
  const { edge, keys } = browser.world;
  const send = async (value, path, wanted) => {
    const answer = await fetch(`${edge}${path}`, { headers: { "X-API-Key": value } });
    await answer.arrayBuffer();
    assert.equal(answer.status, wanted, path);
  };

  const person = await browser.person("owner", "/o/northwind/api-tokens?search=Invoice");
  await person.click("link", "Invoice robot");
  await person.heading("Invoice robot");
  await person.see("Nothing came in this time");
  await person.see("No request has come with this key yet.");
  await person.look("usage-empty");

  // Of 60 a minute, some are let through, some named another's project, and the rest were too many.
  const value = keys["Invoice robot"];
  for (let count = 0; count < 40; count += 1) await send(value, "/v1/openapi/templates", 200);
  for (let count = 0; count < 7; count += 1) await send(value, "/v1/openapi/templates?projectId=somebody-elses", 401);
  let limited = 0;
  for (let count = 0; limited < 12 && count < 200; count += 1) {
    const answer = await fetch(`${edge}/v1/openapi/projects`, { headers: { "X-API-Key": value } });
    await answer.arrayBuffer();
    if (answer.status === 429) limited += 1;
  }
  assert.equal(limited, 12);

  await person.page.reload();
  await person.heading("Invoice robot");
  const panel = person.page.getByRole("region", { name: "Usage" });
  await panel.getByRole("heading", { name: "Refusals by reason" }).waitFor();
  await panel.locator("dt", { hasText: "12 Over the limit" }).waitFor();
  await panel.getByText("Programs should wait as Retry-After says.").waitFor();
  await panel.locator("dt", { hasText: "7 Foreign project" }).waitFor();
  const figure = (name) => panel.locator(".figures div", { hasText: name }).locator("dd").innerText();
  const accepted = Number(await figure("Accepted"));
  assert.ok(accepted >= 40, `${accepted}`);
  assert.equal(await figure("Refused"), "19");
  assert.equal(Number(await figure("Uses since it was made")), accepted + 7);
  assert.match(await figure("Last used"), /just now|second|minute/);

  // The chart says in words what it shows, and its bars can be pointed at.
  const chart = panel.getByRole("img");
  await chart.locator("canvas").waitFor();
  const words = new RegExp(`^Requests by hour: ${accepted} accepted, over the limit 12, not allowed 7\\.`);
  assert.match(await chart.getAttribute("aria-label"), words);
  const box = await chart.locator(".u-over").boundingBox();
  await person.page.mouse.move(box.x + box.width - 4, box.y + box.height / 2);
  await panel.locator(".pointed strong").waitFor();
  await person.page.mouse.move(0, 0);
  await person.look("usage");

  // For who does not see it: the same figures.
  await panel.getByText("The same figures as a table").click();
  const table = panel.getByRole("table");
  assert.deepEqual(await table.locator("thead th").allInnerTexts(), ["Hour", "Accepted", "Over the limit", "Foreign project"]);
  assert.equal(await table.locator("tbody tr").count(), 24);
  const columns = await table.locator("tbody tr").evaluateAll((rows) =>
    rows.map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent.replaceAll(",", "")))),
  );
  const sums = columns.reduce((sum, row) => sum.map((it, at) => it + row[at]), [0, 0, 0]);
  assert.deepEqual(sums, [accepted, 12, 7]);
  await person.look("usage-table");

  // Other times, by keyboard too.
  await panel.getByRole("radio", { name: "24 hours" }).focus();
  await person.page.keyboard.press("ArrowRight");
  await table.locator("tbody tr").nth(167).waitFor();
  await person.page.keyboard.press("ArrowRight");
  await panel.getByRole("columnheader", { name: "Day (UTC)" }).waitFor();
  assert.equal(await table.locator("tbody tr").count(), 30);
  await person.page.keyboard.press("ArrowRight");
  await table.locator("tbody tr").nth(89).waitFor();
  assert.ok(await panel.getByRole("radio", { name: "90 days" }).isChecked());
  await panel.getByText("Nothing is known of the time before").waitFor();
  await person.look("usage-90-days");

  // A key of the other kind has the same panel.
  await person.open("/o/northwind/api-keys");
  await person.click("link", "deploy");
  await person.heading("deploy");
  await person.see("Nothing came in this time");

  // What can not be had is said, and can be tried again.
  person.expectRefusal(503, /\/usage$/);
  await person.page.route("**/usage?*", (route) =>
    route.fulfill({ status: 503, contentType: "application/json", body: '{"statusCode":503,"message":"Try again shortly.","error":"Service Unavailable"}' }),
  );
  await person.page.reload();
  await person.heading("deploy");
  await person.get("button", "Try again").waitFor();
  await person.look("usage-away");
  await person.page.unroute("**/usage?*");
  await person.click("button", "Try again");
  await person.see("Nothing came in this time");
}
