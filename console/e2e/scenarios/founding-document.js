// The founding document's steps, word for word: Organization → API Tokens → New Token, and
// Organization → Projects → a project → API Tokens.

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
}
