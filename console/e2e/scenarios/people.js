// People of the whole server: found, made, blocked, helped to a new password, deleted; and whom nobody may take away.

import assert from "node:assert/strict";

export default async function (browser) {
  const server = await browser.person("server", "/people");
  await server.see("Olga Sørensen");
  await server.look("people");
  await server.page.getByLabel("Search by name or e-mail address").fill("vera");
  await server.gone("Olga Sørensen");
  await server.see("Vera Lindqvist");
  await server.page.getByLabel("Search by name or e-mail address").fill("nobody at all");
  await server.see("Nobody is found");

  await make(server);
  await reset(browser, server);
  await block(browser, server);
  await whoStays(server);

  const owner = await browser.nobody();
  await owner.begin("owner");
  owner.expectRefusal(403, /\/api\/admin\//);
  await owner.open("/people");
  await owner.page.getByRole("alert").first().waitFor();
  await owner.look("people-refused");
  await owner.open("/o/northwind");
  assert.equal(await owner.get("link", "People").count(), 0);
}

async function make(server) {
  await server.click("link", "New Person");
  await server.fill("Name", "Nina Berg");
  await server.fill("E-mail address", "owner@example.com");
  await server.fill("Password", "correct horse 3");
  await server.page.getByLabel("Belongs to").selectOption({ label: "Northwind Logistics" });
  await server.page.getByLabel("Role").selectOption({ label: "Developer" });
  server.expectRefusal(409, /\/api\/admin\/users$/);
  await server.click("button", "Make the account");
  await server.page.getByRole("alert").getByText("Somebody has this e-mail address already.").waitFor();
  await server.look("person-taken");
  await server.fill("E-mail address", "nina@example.com");
  await server.click("button", "Make the account");
  await server.heading("Nina Berg");
  await server.see("northwind");
  await server.look("person");
  await server.fill("Name", "Nina Berglund");
  await server.click("button", "Save");
  await server.heading("Nina Berglund");
}

async function reset(browser, server) {
  await server.click("button", "Reset password");
  const dialog = server.page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  await server.page.getByRole("heading", { name: "The link to choose a new password" }).waitFor();
  const link = await server.page.locator("code", { hasText: "/reset-password#" }).innerText();
  await server.look("person-reset");
  await server.click("button", "I have kept it");
  const nina = await browser.nobody();
  const token = link.slice(link.indexOf("#") + 1);
  await nina.api("POST", "/api/auth/reset-password", { body: { token, password: "another horse 4" } });
  browser.world.people.nina = { email: "nina@example.com", password: "another horse 4" };
  await nina.begin("nina");
}

async function block(browser, server) {
  const nina = await browser.person("nina", "/o/northwind/projects");
  await nina.see("Invoice processing");
  await server.click("button", "Block");
  const dialog = server.page.getByRole("dialog");
  await server.look("person-block");
  await dialog.getByRole("button", { name: "Block" }).click();
  await server.see("Nina Berglund is out.");
  nina.expectRefusal(401);
  await nina.page.reload();
  await nina.heading("Sign in");
  await server.click("button", "Unblock");
  await server.see("Nina Berglund may come in again.");
  await server.click("button", "Delete account");
  await dialog.getByLabel("Confirm by typing nina@example.com").fill("nina@example.com");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await server.heading("People");
}

async function whoStays(server) {
  const dialog = server.page.getByRole("dialog");
  const everybody = (await server.api("GET", "/api/admin/users?limit=100")).data;
  const called = (name) => everybody.find((it) => it.name === name).id;
  // Who owns an organization alone, and the last admin of the server.
  server.expectRefusal(409, /\/api\/admin\/users\//);
  await server.open(`/people/${called("Olga Sørensen")}`);
  await server.heading("Olga Sørensen");
  await server.click("button", "Delete account");
  await dialog.getByLabel("Confirm by typing owner@example.com").fill("owner@example.com");
  await dialog.getByRole("button", { name: "Delete account" }).click();
  await dialog.getByText("An organization would be left without an owner").waitFor();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await server.open(`/people/${called("Sam Carter")}`);
  await server.heading("Sam Carter");
  await server.click("button", "Take the server from them");
  await dialog.getByRole("button", { name: "Take it" }).click();
  await dialog.getByText("The server needs an admin: make somebody else one first.").waitFor();
  await server.look("person-last-admin");
}
