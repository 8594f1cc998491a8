// Settings of an organization: another name, another slug, one that is taken, and its end.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner", "/o/northwind/settings");
  await owner.page.getByLabel("Slug").waitFor();
  await owner.look("settings");
  owner.expectRefusal(409, /\/api\/org$/);
  await owner.fill("Slug", "contoso");
  await owner.click("button", "Save");
  await owner.see("Another organization has this slug already: choose another one.");
  await owner.look("settings-slug-taken");
  owner.expectRefusal(400, /\/api\/org$/);
  await owner.fill("Slug", "No Slug");
  await owner.click("button", "Save");
  await owner.page.getByRole("alert").first().waitFor();

  await owner.fill("Slug", "northwind-eu");
  await owner.fill("Name", "Northwind Europe");
  await owner.click("button", "Save");
  await owner.arrive("/o/northwind-eu/settings");
  await owner.see("Northwind Europe");

  const viewer = await browser.person("viewer", "/o/northwind-eu/settings");
  await viewer.see("To alter it takes the permission manage:organization.");
  assert.equal(await viewer.get("button", "Delete organization").count(), 0);
  await viewer.look("settings-for-a-viewer");

  await owner.click("button", "Delete organization");
  const dialog = owner.page.getByRole("dialog");
  const confirm = dialog.getByRole("button", { name: "Delete organization" });
  assert.ok(await confirm.isDisabled());
  await dialog.getByLabel("Confirm by typing northwind-eu").fill("northwind-eu");
  await owner.look("settings-delete");
  await confirm.click();
  await owner.see("The organization is deleted.");
  await owner.see("You belong to no organization yet");
  // Its tokens are refused.
  let status;
  for (let tries = 0; tries < 100 && status !== 401; tries += 1) {
    const key = browser.world.keys["Nightly import"];
    status = (await fetch(`${browser.world.edge}/v1/openapi/templates`, { headers: { "X-API-Key": key } })).status;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.equal(status, 401);
}
