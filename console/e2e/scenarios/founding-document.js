// The founding document's steps, word for word: Organization → API Tokens → New Token, and
// Organization → Projects → a project → API Tokens; to the end, which is a value that opens what it is for.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind");
  const organization = owner.page.getByRole("navigation", { name: "Organization" });

  await organization.getByRole("link", { name: "Organization", exact: true }).click();
  await owner.heading("Northwind Logistics");
  await organization.getByRole("link", { name: "API Tokens", exact: true }).click();
  await owner.heading("API Tokens");
  await owner.click("link", "New Token");
  await owner.heading("New Token");
  const all = await open(browser, await make(owner, "Open API client"));
  assert.ok(all.includes("Invoice processing") && all.length > 1, "a token of the organization opens all its projects");

  await organization.getByRole("link", { name: "Organization", exact: true }).click();
  await owner.heading("Northwind Logistics");
  await organization.getByRole("link", { name: "Projects", exact: true }).click();
  await owner.heading("Projects");
  await owner.click("link", "Invoice processing");
  await owner.heading("Invoice processing");
  await owner.page.getByRole("navigation", { name: "Project", exact: true }).getByRole("link", { name: "API Tokens", exact: true }).click();
  await owner.see("Invoice robot");
  await owner.look("project-tokens");
  await owner.click("link", "New Token");
  await owner.heading("New Token");
  assert.match(owner.where(), /project=invoices/);
  assert.deepEqual(await open(browser, await make(owner, "Receipt scanner")), ["Invoice processing"]);

  await organization.getByRole("link", { name: "Projects", exact: true }).click();
  await owner.click("link", "Invoice processing");
  await owner.page.getByRole("navigation", { name: "Project", exact: true }).getByRole("link", { name: "API Tokens", exact: true }).click();
  await owner.see("Receipt scanner");
  await owner.gone("Open API client");
}

/** Fills the form in as far as it has to be, and gives the value that is shown. */
async function make(owner, name) {
  await owner.fill("Name", name);
  await owner.page.getByRole("button", { name: "Add read" }).click();
  await owner.page.getByLabel("Scopes", { exact: true }).fill("documents");
  await owner.click("button", "Create token");
  await owner.get("heading", "Keep this value now").waitFor();
  const value = await owner.page.locator("code", { hasText: /^ocr_[0-9a-f]{64}$/ }).innerText();
  await owner.click("button", "I have kept it");
  await owner.heading(name);
  return value;
}

/** The names of the projects that a value opens. */
async function open(browser, value) {
  const answer = await fetch(`${browser.world.edge}/v1/openapi/projects`, { headers: { "X-API-Key": value } });
  assert.equal(answer.status, 200);
  return (await answer.json()).map((it) => it.name);
}
