// The list of API tokens: filters, search, sorting and pages, each with an address of its own.

import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.person("owner", "/o/northwind/api-tokens");
  const names = async () => {
    await person.settle();
    return person.page.locator("tbody th a").allInnerTexts();
  };
  await person.see("Page 1 of 2");
  await person.look("tokens");
  assert.equal((await names()).length, 20);

  await person.click("button", "Next");
  await person.see("Page 2 of 2");
  assert.equal((await names()).length, 7);
  assert.equal(person.where(), "/o/northwind/api-tokens?page=2");

  await person.fill("Search by name or description", "depot 0");
  await person.see("9 tokens");
  assert.equal(person.where(), "/o/northwind/api-tokens?search=depot+0");
  await person.page.reload();
  await person.see("9 tokens");
  assert.ok((await names()).every((name) => name.startsWith("Depot 0")));
  await person.click("button", "Name");
  await person.click("button", "Name");
  await person.page.waitForURL(/sort=name&order=desc/);
  assert.equal((await names())[0], "Depot 09");
  assert.equal(await person.get("columnheader", "Name").getAttribute("aria-sort"), "descending");

  await person.fill("Search by name or description", "nothing has this");
  await person.see("No token fits");
  await person.look("tokens-none-found");
  await person.click("button", "Clear the filters");
  await person.see("27 tokens");

  await person.page.getByLabel("Status", { exact: true }).selectOption("Inactive");
  await person.see("1 token");
  assert.deepEqual(await names(), ["Old mobile app"]);
  await person.page.getByLabel("Status", { exact: true }).selectOption("Active or not");
  await person.page.getByLabel("Type", { exact: true }).selectOption("Organization tokens");
  await person.see("3 tokens");
  await person.page.getByLabel("Type", { exact: true }).selectOption("All types");
  await person.page.getByLabel("Project", { exact: true }).selectOption("Invoice processing");
  await person.see("1 token");
  assert.deepEqual(await names(), ["Invoice robot"]);

  // Members see their own, and are told so.
  const developer = await browser.person("developer", "/o/northwind/api-tokens");
  await developer.see("Those that you have made.");
  await developer.see("1 token");
  assert.deepEqual(await developer.page.locator("tbody th a").allInnerTexts(), ["Warehouse scanner"]);
  assert.equal(await developer.get("link", "New Token").count(), 0);
  const viewer = await browser.person("viewer", "/o/northwind/api-tokens");
  await viewer.see("You have no API tokens");
  await viewer.look("tokens-empty");
  await viewer.open("/o/northwind/api-tokens/new");
  await viewer.see("Only owners and admins make API tokens");

  // An organization that is somebody else's.
  await viewer.open("/o/contoso/api-tokens");
  await viewer.heading("This organization is not yours");
  await viewer.look("organization-of-others");
}
