// Operations: an export that is downloaded, a rotation whose new values are collected once and work, and what is refused.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/operations");
  await owner.see("No operations yet");
  await owner.look("operations-none");

  await owner.page.locator("header").getByRole("link", { name: "New Operation" }).click();
  await owner.heading("New Operation");
  await owner.look("operation-new");
  await owner.page.getByLabel("Format").selectOption({ label: "JSON, for programs" });
  await owner.click("button", "Start");
  await owner.heading("Export of the audit log");
  await owner.get("link", "Download").waitFor();
  await owner.look("operation-export");
  const [download] = await Promise.all([owner.page.waitForEvent("download"), owner.click("link", "Download")]);
  const text = await readFile(await download.path(), "utf8");
  assert.ok(text.includes("operation.started"), text.slice(0, 300));

  await rotate(browser, owner);
  await owner.open("/o/northwind/operations");
  await owner.see("Rotation of API tokens");
  await owner.look("operations");

  const viewer = await browser.nobody();
  await viewer.begin("viewer");
  viewer.expectRefusal(403, /\/operations/);
  await viewer.open("/o/northwind/operations");
  await viewer.page.getByRole("alert").first().waitFor();
  await viewer.look("operations-refused");
}

async function rotate(browser, owner) {
  await owner.open("/o/northwind/operations/new");
  await owner.page.getByLabel("What is to be done").selectOption({ label: "Give all tokens of a project new values" });
  const start = owner.get("button", "Start");
  assert.ok(await start.isDisabled(), "a project is chosen first");
  await owner.page.getByLabel("Project").selectOption({ label: "Invoice processing" });
  await owner.page.getByLabel("Both values work for").selectOption({ label: "an hour" });
  await start.click();
  await owner.look("operation-rotation-confirm");
  const dialog = owner.page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Start the rotation" }).click();
  await owner.heading("Rotation of API tokens");
  const collect = owner.get("button", "Collect the new values");
  await collect.waitFor();

  // Nobody but who began it.
  const admin = await browser.person("admin", owner.where());
  admin.expectRefusal(403, /\/result$/);
  await admin.click("button", "Collect the new values");
  await admin.see("Only whoever asked for the rotation is given the new values.");
  await admin.look("operation-not-yours");

  await collect.click();
  await owner.page.getByRole("heading", { name: "Keep the new values now" }).waitFor();
  const value = await owner.page.locator("code", { hasText: "ocr_" }).innerText();
  await owner.look("operation-values");
  for (const key of [value, browser.world.keys["Invoice robot"]]) {
    const answer = await fetch(`${browser.world.edge}/v1/openapi/templates`, { headers: { "X-API-Key": key } });
    assert.equal(answer.status, 200, "both work during the overlap");
  }
  await owner.click("button", "I have kept it");
  await owner.gone("Keep the new values now");
  assert.ok(!(await owner.page.content()).includes(value));
  await owner.page.reload();
  await owner.heading("Rotation of API tokens");
  assert.equal(await collect.count(), 0, "they are handed out once");
}
