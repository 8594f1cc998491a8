// The audit log: who did what, found by what it is about and when, in detail and as a file.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/audit-log");
  const made = await owner.api("POST", "/api/projects", { slug: "northwind", body: { name: "Looked at" }, status: 201 });
  await owner.api("PATCH", `/api/projects/${made.id}`, { slug: "northwind", body: { name: "Looked at twice" } });
  await owner.page.reload();
  await owner.see("Project updated");
  await owner.look("audit-log");

  await owner.page.getByLabel("About").selectOption({ label: "Projects" });
  await owner.arriveAt(/kind=project/);
  await owner.see("Project created");
  await owner.page.getByRole("button", { name: "Details of Project updated" }).click();
  const dialog = owner.page.getByRole("dialog");
  await dialog.getByText('"Looked at twice"').waitFor();
  await owner.look("audit-entry");
  await dialog.getByRole("button", { name: "Close" }).click();

  // What is looked for has an address of its own.
  await owner.page.getByLabel("Id", { exact: true }).fill(made.id);
  await owner.arriveAt(/id=/);
  await owner.page.reload();
  await owner.see("Looked at twice");
  assert.equal(await owner.page.getByLabel("Id", { exact: true }).inputValue(), made.id);

  await owner.page.getByLabel("From day").fill("2020-01-02");
  await owner.page.getByLabel("To day").fill("2020-01-01");
  await owner.see("It is before the first day.");
  await owner.page.getByLabel("To day").fill("2020-01-03");
  await owner.see("No entry fits");
  await owner.look("audit-log-nothing");
  await owner.click("button", "Clear the filters");
  await owner.page.getByLabel("About").selectOption({ label: "Projects" });
  await owner.see("Project created");

  for (const [name, marker] of [["Export CSV", "project.created"], ["Export JSON", '"project.created"']]) {
    const [download] = await Promise.all([owner.page.waitForEvent("download"), owner.click("link", name)]);
    const text = await readFile(await download.path(), "utf8");
    assert.ok(text.includes(marker) && text.includes("Looked at twice"), `${name}: ${text.slice(0, 400)}`);
    assert.ok(!text.includes("auth.login"), "the filters hold for the file");
  }

  const viewer = await browser.nobody();
  await viewer.begin("viewer");
  viewer.expectRefusal(403, /\/audit-logs/);
  await viewer.open("/o/northwind/audit-log");
  await viewer.page.getByRole("alert").first().waitFor();
  await viewer.look("audit-log-refused");
}
