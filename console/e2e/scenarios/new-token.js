// New Token: what is refused, what is made, and a value that is on screen once in its life.

import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.person("owner", "/o/northwind/api-tokens");
  await person.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await person.click("link", "New Token");
  await person.heading("New Token");
  await person.look("new-token");

  // What is missing, and what is too much.
  await person.click("button", "Create token");
  await person.see("Give it a name, such as the program that will use it.");
  await person.see("At least one permission.");
  await person.see("At least one scope.");
  assert.equal(await person.page.evaluate(() => document.activeElement?.getAttribute("name")), "token-name");
  await person.fill("Name", "ก".repeat(101));
  await person.see("101 / 100");
  await person.see("At most 100 characters.");
  await person.fill("Name", "Nightly report");
  await person.page.getByLabel("Description").fill("x".repeat(501));
  await person.see("501 / 500");
  await person.page.getByLabel("Description").fill("Writes the report. Ask Olga.");
  await person.page.getByLabel("Type", { exact: true }).selectOption("Project: one project");
  await person.see("Choose the project that it opens.");
  await person.page.getByRole("radio", { name: /^On a day that you choose/ }).check();
  await person.page.getByLabel("Last day").fill("2020-01-31");
  await person.see("Choose a day that is still to come.");
  await person.page.getByLabel("Allowed addresses").fill("300.0.0.1,");
  await person.see("“300.0.0.1” is no address.");
  await person.look("new-token-refused");

  await person.page.getByLabel("Project", { exact: true }).selectOption("Invoice processing");
  await person.page.getByRole("radio", { name: /^In 90 days/ }).check();
  await person.page.getByLabel("Allowed addresses").fill("127.0.0.0/8 ::1");
  await person.page.getByRole("button", { name: "Add read" }).click();
  await person.page.getByLabel("Permissions", { exact: true }).fill("make reports");
  await person.page.keyboard.press("Enter");
  await person.page.getByLabel("Scopes", { exact: true }).fill("documents");
  await person.click("button", "Create token");

  await person.get("heading", "Keep this value now").waitFor();
  const value = await person.page.locator("code", { hasText: /^ocr_[0-9a-f]{64}$/ }).innerText();
  assert.equal((await person.page.content()).split(value).length - 1, 1, "the value is on the page once");
  await person.look("token-shown-once");

  // Every way off the page asks first.
  const stay = async (away) => {
    await away();
    await person.get("dialog", "Leave without the value?").waitFor();
    await person.look("token-leave");
    await person.click("button", "Stay");
    await person.get("dialog", "Leave without the value?").waitFor({ state: "detached" });
    await person.arrive("/o/northwind/api-tokens/new");
    await person.page.getByText(value).waitFor();
  };
  await stay(() => person.click("link", "Organization"));
  await stay(() => person.page.evaluate(() => history.back()));
  let asked = 0;
  person.page.on("dialog", (dialog) => {
    asked += 1;
    assert.equal(dialog.type(), "beforeunload");
    void dialog.dismiss();
  });
  await person.page.close({ runBeforeUnload: true });
  await person.page.waitForTimeout(500);
  assert.equal(asked, 1, "closing the window asks");

  await person.click("button", "Copy the command");
  const curl = await person.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(curl, `curl -H 'X-API-Key: ${value}' ${browser.world.edge}/v1/openapi/projects`);
  await person.click("button", "Copy");
  assert.equal(await person.page.evaluate(() => navigator.clipboard.readText()), value);
  await person.get("button", "Copied").waitFor();

  // It opens what was asked for, and nothing else.
  const answer = await fetch(`${browser.world.edge}/v1/openapi/projects`, { headers: { "X-API-Key": value } });
  assert.equal(answer.status, 200);
  assert.deepEqual((await answer.json()).map((it) => it.name), ["Invoice processing"]);

  await person.click("button", "I have kept it");
  await person.heading("Nightly report");
  await person.see("make reports");
  await nowhere(person, value);
  await person.page.goBack();
  await person.page.goForward();
  await person.heading("Nightly report");
  await nowhere(person, value);
}

/** A value that was left is neither in the page nor in anything that the browser keeps of it. */
async function nowhere(person, value) {
  const kept = await person.page.evaluate(async () =>
    JSON.stringify([
      document.documentElement.outerHTML,
      [...document.querySelectorAll("input, textarea")].map((it) => it.value),
      { ...localStorage },
      { ...sessionStorage },
      document.cookie,
      history.state,
      location.href,
      await indexedDB.databases(),
      await caches.keys(),
    ]),
  );
  assert.ok(!kept.includes(value), "the value is still somewhere");
  const cookies = await person.context.cookies();
  assert.ok(!JSON.stringify(cookies).includes(value));
}
