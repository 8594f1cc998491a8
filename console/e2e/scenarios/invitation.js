// An invitation taken up: by somebody new, by somebody who has an account, and by somebody who comes too late.

import assert from "node:assert/strict";

export default async function (browser) {
  const owner = await browser.person("owner");
  const invite = async () =>
    owner.api("POST", "/api/invite-links", { body: { role: "developer" }, status: 201, slug: "northwind" });

  const first = await invite();
  const newcomer = await browser.nobody();
  await newcomer.page.goto(first.link);
  await newcomer.heading("Join an organization");
  await newcomer.page.waitForFunction(() => location.hash === "");
  assert.equal(await newcomer.page.getByLabel("Invitation", { exact: true }).inputValue(), first.token);
  await newcomer.look("invite");
  await newcomer.fill("Your name", "Nora Newcomer");
  await newcomer.fill("E-mail address", "nora@example.com");
  await newcomer.fill("Password", "correct horse 9");
  await newcomer.click("button", "Make the account and join");
  await newcomer.heading("API Tokens");
  await newcomer.see("You belong to Northwind Logistics now.");

  // The same one is good once.
  const late = await browser.nobody();
  late.expectRefusal(403, /signup$/);
  late.expectRefusal(400, /signup$/);
  late.expectRefusal(401, /signup$/);
  await late.page.goto(first.link);
  await late.heading("Join an organization");
  await late.fill("Your name", "Late Larry");
  await late.fill("E-mail address", "larry@example.com");
  await late.fill("Password", "correct horse 9");
  await late.click("button", "Make the account and join");
  await late.page.getByRole("alert").filter({ hasText: /./ }).first().waitFor();
  await late.look("invite-refused");

  // With the account that one is signed in to.
  const second = await invite();
  const stranger = await browser.person("stranger");
  await stranger.page.goto(second.link);
  await stranger.see("You are signed in as");
  await stranger.look("invite-signed-in");
  await stranger.click("button", "Join");
  await stranger.arrive("/o/northwind/api-tokens");
}
