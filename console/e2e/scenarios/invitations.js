// Invitations: a link that is shown once, that somebody joins by, and that can be taken back.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/invitations");
  await owner.see("No invitations wait");
  await owner.look("invitations");
  await owner.page.getByLabel("Role").selectOption({ label: "Developer" });
  await owner.page.getByLabel(/^E-mail address/).fill("nina@example.com");
  await owner.click("button", "Make an invitation");
  await owner.page.getByRole("heading", { name: "The invitation is made" }).waitFor();
  const link = await owner.page.locator("code", { hasText: "/invite#invite_" }).innerText();
  await owner.look("invitation-made");

  // It is not lost by mistake.
  await owner.page.getByRole("navigation", { name: "Organization" }).getByRole("link", { name: "Members" }).click();
  const dialog = owner.page.getByRole("dialog");
  await dialog.getByText("You have not copied it.").waitFor();
  await dialog.getByRole("button", { name: "Stay" }).click();
  await owner.click("button", "I have kept it");
  await owner.see("nina@example.com");
  assert.ok(!(await owner.page.content()).includes("invite_"));

  // Who is somebody else can not join by it.
  const stranger = await browser.person("stranger", "/");
  stranger.expectRefusal(403, /\/api\/auth\/invitations\/accept$/);
  await stranger.page.goto(link);
  await stranger.page.reload();
  await stranger.heading("Join an organization");
  await stranger.page.getByLabel("Invitation").fill(link.slice(link.indexOf("#") + 1));
  await stranger.click("button", "Join");
  await stranger.see("This invitation is for another e-mail address.");

  await owner.click("button", "Take back the invitation for nina@example.com");
  await owner.look("invitation-take-back");
  await dialog.getByRole("button", { name: "Take it back" }).click();
  await owner.see("The invitation is taken back.");
  await owner.see("No invitations wait");

  const viewer = await browser.nobody();
  await viewer.begin("viewer");
  viewer.expectRefusal(403, /\/api\/invite-links/);
  await viewer.open("/o/northwind/invitations");
  await viewer.page.getByRole("alert").first().waitFor();
  await viewer.look("invitations-refused");
}
