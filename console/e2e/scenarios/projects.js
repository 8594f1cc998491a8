// Projects: made, altered, put away, and deleted only when nobody's program stops by it.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/projects");
  await owner.heading("Projects");
  await owner.see("Inbound scans");
  await owner.look("projects");
  assert.equal(await owner.page.getByRole("link", { name: "Archive 2024" }).count(), 0);
  await owner.page.getByLabel("Inactive ones too").check();
  await owner.see("Archive 2024");

  await owner.click("link", "New Project");
  await owner.heading("New Project");
  await owner.look("project-new");
  const make = owner.get("button", "Make the project");
  assert.ok(await make.isDisabled(), "a project has a name");
  await owner.fill("Name", "x".repeat(101));
  await owner.see("At most 100 characters.");
  assert.ok(await make.isDisabled());
  await owner.fill("Name", "Customs papers");
  await owner.page.getByLabel(/^Description/).fill("What goes over the border");
  await make.click();
  await owner.heading("Customs papers");
  await owner.see("Customs papers is there.");
  await owner.look("project");

  await owner.fill("Name", "Customs declarations");
  await owner.click("button", "Save");
  await owner.heading("Customs declarations");

  await tokensOfAProject(owner);
  await putAway(owner);
  await remove(owner);
  await mayNot(browser);
}

async function tokensOfAProject(owner) {
  const parts = owner.page.getByRole("navigation", { name: "Project" });
  await parts.getByRole("link", { name: "API Tokens" }).click();
  await owner.see("No API tokens yet");
  await owner.look("project-tokens-none");
  await owner.page.locator("header").getByRole("link", { name: "New Token" }).click();
  await owner.heading("New Token");
  assert.match(owner.where(), /^\/o\/northwind\/api-tokens\/new\?project=/);
  await owner.page.goBack();
  await owner.heading("Customs declarations");
  await parts.getByRole("link", { name: "Overview" }).click();
}

async function putAway(owner) {
  await owner.click("button", "Deactivate");
  await owner.look("project-deactivate");
  await owner.page.getByRole("dialog").getByRole("button", { name: "Deactivate" }).click();
  await owner.see("The project is inactive.");
  await owner.click("button", "Activate");
  await owner.see("The project is active.");
}

async function remove(owner) {
  await owner.open("/o/northwind/projects/inbound-scans");
  await owner.heading("Inbound scans");
  await owner.click("button", "Delete project");
  const dialog = owner.page.getByRole("dialog");
  const confirm = dialog.getByRole("button", { name: "Delete project" });
  assert.ok(await confirm.isDisabled(), "its name is typed first");
  await dialog.getByLabel("Confirm by typing Inbound scans").fill("Inbound scans");
  owner.expectRefusal(409, /\/api\/projects\/inbound-scans$/);
  await confirm.click();
  // 23 tokens are bound to it.
  await dialog.getByRole("alert").waitFor();
  await owner.look("project-delete-refused");
  await dialog.getByLabel("Delete its tokens too").check();
  await confirm.click();
  await owner.heading("Projects");
  await owner.see("The project is gone.");
  const left = await owner.api("GET", "/api/projects", { slug: "northwind" });
  assert.ok(left.data.every((it) => it.id !== "inbound-scans"));
}

async function mayNot(browser) {
  const viewer = await browser.person("viewer", "/o/northwind/projects");
  await viewer.see("Invoice processing");
  assert.equal(await viewer.get("link", "New Project").count(), 0);
  await viewer.open("/o/northwind/projects/invoices");
  await viewer.heading("Invoice processing");
  assert.equal(await viewer.get("button", "Delete project").count(), 0);
  await viewer.look("project-for-a-viewer");
  await viewer.open("/o/northwind/projects/new");
  await viewer.see("You may not make projects here");
  viewer.expectRefusal(404, /\/api\/projects\/nothing$/);
  await viewer.open("/o/northwind/projects/nothing");
  await viewer.page.getByRole("alert").waitFor();
  await viewer.look("project-missing");
}
