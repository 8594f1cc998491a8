// Roles: what each may do, one of the organization's own, and what is refused.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/roles");
  await owner.page.getByRole("columnheader", { name: /^Viewer/ }).waitFor();
  await owner.look("roles");

  await owner.click("link", "New Role");
  await owner.heading("New Role");
  await owner.page.getByRole("group", { name: "projects" }).waitFor();
  const make = owner.get("button", "Make the role");
  await owner.fill("Name", "Auditor");
  assert.ok(await make.isDisabled(), "a role grants something");
  await grant(owner, "projects", "manage");
  await grant(owner, "members", "view");
  await owner.look("role-new");
  await make.click();
  await owner.heading("Roles");
  await owner.click("link", "Auditor");

  // One name, one role.
  owner.expectRefusal(409, /\/api\/roles/);
  await owner.open("/o/northwind/roles/new");
  await owner.fill("Name", "Auditor");
  await grant(owner, "projects", "view");
  await owner.click("button", "Make the role");
  await owner.page.getByRole("alert").getByText("Another role of this organization has this name already.").waitFor();
  await owner.look("role-taken");

  // Somebody has it: it stays.
  const [role] = (await owner.api("GET", "/api/roles", { slug: "northwind" })).data.filter((it) => it.name === "Auditor");
  const members = (await owner.api("GET", "/api/members", { slug: "northwind" })).data;
  const viewer = members.find((it) => it.name === "Vera Lindqvist");
  const given = { slug: "northwind", body: { role: role.id } };
  await owner.api("PATCH", `/api/members/${viewer.id}/role`, given);
  await owner.open(`/o/northwind/roles/${role.id}`);
  await owner.heading("Auditor");
  await owner.look("role");
  await owner.click("button", "Delete role");
  const dialog = owner.page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Delete role" }).click();
  await dialog.getByText("Members have this role: give them another one first.").waitFor();
  await owner.look("role-in-use");
  await dialog.getByRole("button", { name: "Cancel" }).click();

  // What is altered is in force for who has it, when it is answered.
  const auditor = await browser.person("viewer", "/o/northwind/projects");
  await auditor.get("link", "New Project").waitFor();
  await grant(owner, "projects", "view");
  await owner.click("button", "Save");
  await owner.see("The role is saved. It is in force already.");
  await auditor.page.reload();
  await auditor.see("Invoice processing");
  assert.equal(await auditor.get("link", "New Project").count(), 0);

  await owner.api("PATCH", `/api/members/${viewer.id}/role`, { slug: "northwind", body: { role: "viewer" } });
  await owner.click("button", "Delete role");
  await dialog.getByRole("button", { name: "Delete role" }).click();
  await owner.see("The role is gone.");
  await auditor.open("/o/northwind/roles/anything");
  await auditor.see("There is no such role");

  // Nobody grants what they do not have.
  const admin = await browser.person("developer", "/o/northwind/roles");
  await admin.page.getByRole("columnheader", { name: /^Owner/ }).waitFor();
  assert.equal(await admin.get("link", "New Role").count(), 0);
}

async function grant(person, resource, level) {
  await person.page.getByRole("group", { name: resource, exact: true }).getByLabel(level).check();
}
