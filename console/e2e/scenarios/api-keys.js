// API keys of the `ocore` dialect: made, altered, switched off and deleted, by whose role allows it.

import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.person("admin", "/o/northwind/api-keys");
  await person.get("link", "deploy").waitFor();
  await person.look("api-keys");
  await person.click("link", "New key");
  await person.heading("New key");
  await person.get("group", "servers").waitFor();
  await person.look("new-api-key");
  await person.click("button", "Create key");
  await person.see("Give it a name that no other key of the organization has.");
  await person.see("At least one permission.");

  person.expectRefusal(409, /\/api\/api-keys$/);
  await person.fill("Name", "deploy");
  await person.page.getByRole("checkbox", { name: "view servers" }).check();
  await person.click("button", "Create key");
  await person.page.locator("[aria-invalid=true][name=key-name]").waitFor();
  await person.look("new-api-key-refused");
  await person.fill("Name", "Rollout robot");
  await person.page.getByRole("radio", { name: /^Never/ }).check();
  await person.click("button", "Create key");
  await person.get("heading", "Keep this value now").waitFor();
  const value = await person.page.locator("code", { hasText: /^ocore_k_/ }).innerText();
  assert.equal((await person.page.content()).split(value).length - 1, 1);
  await person.click("button", "I have kept it");

  await person.heading("Rollout robot");
  await person.get("button", "Edit").waitFor();
  await person.look("api-key");
  const status = async () =>
    (await fetch(`${browser.world.edge}/api/servers`, { headers: { Authorization: `Bearer ${value}` } })).status;
  assert.equal(await status(), 200);
  await person.click("button", "Edit");
  await person.fill("Name", "Rollout robot 2");
  await person.click("button", "Save");
  await person.heading("Rollout robot 2");
  await person.click("button", "Deactivate");
  await person.get("dialog", "Deactivate Rollout robot 2?").getByRole("button", { name: "Deactivate" }).click();
  await person.get("button", "Activate").waitFor();
  assert.equal(await status(), 401);
  await person.click("button", "Activate");
  await person.get("button", "Deactivate").waitFor();
  await person.click("button", "Delete");
  await person.fill("Confirm by typing Rollout robot 2", "Rollout robot 2");
  await person.click("button", "Delete this key");
  await person.arrive("/o/northwind/api-keys");
  assert.equal(await status(), 401);

  // Who may look only.
  const viewer = await browser.person("viewer", "/o/northwind/api-keys");
  await viewer.get("link", "deploy").waitFor();
  assert.equal(await viewer.get("link", "New key").count(), 0);
  await viewer.open("/o/northwind/api-keys/new");
  await viewer.see("Your role does not let you make API keys");
}
