// One token: altered, switched off and on, given a new value, deleted. Each holds at the edge when the page says so.

import assert from "node:assert/strict";

export default async function (browser) {
  const { edge, keys } = browser.world;
  const status = async (value) =>
    (await fetch(`${edge}/v1/openapi/projects`, { headers: { "X-API-Key": value } })).status;
  const old = keys["Nightly import"];
  assert.equal(await status(old), 200);

  const person = await browser.person("owner", "/o/northwind/api-tokens");
  await person.click("link", "Nightly import");
  await person.heading("Nightly import");
  await person.get("heading", "Audit trail").waitFor();
  await person.look("token");

  await person.click("link", "Edit");
  await person.heading("Edit Nightly import");
  await person.look("token-edit");
  await person.fill("Name", "");
  await person.click("button", "Save");
  await person.see("Give it a name, such as the program that will use it.");
  await person.fill("Name", "Nightly import 2");
  await person.page.getByLabel("Description").fill("From the ERP.");
  await person.page.getByRole("radio", { name: /^In 30 days/ }).check();
  await person.click("button", "Save");
  await person.heading("Nightly import 2");
  await person.see("From the ERP.");
  await person.see("Altered");

  await person.click("button", "Deactivate");
  await person.see("Whoever uses it is answered 401 from now on");
  await person.look("token-deactivate");
  await person.get("dialog", "Deactivate Nightly import 2?").getByRole("button", { name: "Deactivate" }).click();
  await person.get("button", "Activate").waitFor();
  assert.equal(await status(old), 401);
  await person.click("button", "Activate");
  await person.get("button", "Deactivate").waitFor();
  assert.equal(await status(old), 200);

  await person.click("button", "Regenerate");
  await person.see("the old one stops working at once");
  await person.look("token-regenerate");
  await person.get("dialog", "Regenerate Nightly import 2?").getByRole("button", { name: "Regenerate" }).click();
  await person.get("heading", "Keep this value now").waitFor();
  const value = await person.page.locator("code", { hasText: /^ocr_[0-9a-f]{64}$/ }).innerText();
  assert.equal(await status(old), 401);
  assert.equal(await status(value), 200);
  await person.click("button", "I have kept it");
  await person.page.getByText(value).waitFor({ state: "detached" });
  await person.see("Regenerated");

  await person.click("button", "Delete");
  const dialog = person.get("dialog", "Delete Nightly import 2?");
  const remove = dialog.getByRole("button", { name: "Delete this token" });
  assert.ok(await remove.isDisabled());
  await person.fill("Confirm by typing Nightly import 2", "Nightly import");
  assert.ok(await remove.isDisabled());
  await person.look("token-delete");
  await person.fill("Confirm by typing Nightly import 2", "Nightly import 2");
  await remove.click();
  await person.arrive("/o/northwind/api-tokens");
  assert.equal(await status(value), 401);

  // One that is gone, and one that has expired.
  person.expectRefusal(404, /\/api-tokens\/nobody$/);
  await person.page.goto("/o/northwind/api-tokens/nobody");
  await person.heading("There is no such token");
  await person.look("token-gone");
  await person.open("/o/northwind/api-tokens?search=partner");
  await person.click("link", "Partner portal");
  await person.see("This token has expired");
  await person.look("token-expired");
}
