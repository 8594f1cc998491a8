// Members: another role, taken out, leaving; and the owner who must stay.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/members");
  await owner.see("Vera Lindqvist");
  await owner.look("members");

  await owner.click("button", "Change role of Vera Lindqvist");
  const dialog = owner.page.getByRole("dialog");
  await dialog.getByLabel("Role").selectOption({ label: "Developer" });
  await owner.look("member-role");
  await dialog.getByRole("button", { name: "Change role" }).click();
  await owner.see("Vera Lindqvist has the role Developer now.");

  // The only owner can neither become less nor go.
  owner.expectRefusal(409, /\/api\/members\//);
  await owner.click("button", "Change role of Olga Sørensen");
  await dialog.getByLabel("Role").selectOption({ label: "Viewer" });
  await dialog.getByRole("button", { name: "Change role" }).click();
  await dialog.getByText("An organization needs an owner: make somebody else one first.").waitFor();
  await owner.look("member-last-owner");
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await owner.click("button", "Leave");
  await dialog.getByRole("button", { name: "Leave" }).click();
  await dialog.getByText("An organization needs an owner: make somebody else one first.").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();

  await owner.click("button", "Remove Vera Lindqvist");
  await owner.look("member-remove");
  await dialog.getByRole("button", { name: "Remove" }).click();
  await owner.see("Vera Lindqvist does not belong to Northwind Logistics any more.");
  assert.equal(await owner.page.getByText("vera@").count(), 0);

  // An admin is not more than an owner.
  const admin = await browser.person("admin", "/o/northwind/members");
  admin.expectRefusal(403, /\/api\/members\//);
  await admin.click("button", "Remove Olga Sørensen");
  const asked = admin.page.getByRole("dialog");
  await asked.getByRole("button", { name: "Remove" }).click();
  await asked.getByText("Only an owner may do this to owners, or make one.").waitFor();
  await asked.getByRole("button", { name: "Cancel" }).click();

  const developer = await browser.person("developer", "/o/northwind/members");
  await developer.see("Adam Okafor");
  assert.equal(await developer.get("link", "Invite").count(), 0);
  await developer.click("button", "Leave");
  await developer.page.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
  await developer.see("You belong to no organization yet");
  await developer.look("no-organization");
}
