// One's own account: another password, and sessions elsewhere that are ended.

import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.person("developer", "/account");
  const { password } = browser.world.people.developer;
  const elsewhere = await browser.person("developer", "/account");
  await person.page.reload();
  await person.get("table", "sessions").waitFor();
  await person.look("account");

  // One session, by its button.
  const others = person.page.getByRole("button", { name: /^End the session of/ });
  await others.first().waitFor();
  const before = await others.count();
  await others.first().click();
  await person.click("button", "End the session");
  await person.see("The session has ended.");
  await person.page.waitForFunction(
    (count) => document.querySelectorAll("button[aria-label^='End the session of']").length < count,
    before,
  );

  // A password that is wrong, one that is not enough, and one that does.
  person.expectRefusal(400, /\/api\/auth\/change-password$/);
  await person.fill("New password", "short");
  await person.see("Still needs 8 characters, a digit.");
  assert.ok(await person.get("button", "Change the password").isDisabled());
  await person.fill("Present password", "wrong horse 1");
  await person.fill("New password", "another horse 2");
  await person.click("button", "Change the password");
  await person.see("The password is wrong.");
  await person.look("account-refused");
  await person.fill("Present password", password);
  await person.click("button", "Change the password");
  await person.see("Your other sessions have ended.");

  // Elsewhere they are out, and led back after signing in.
  elsewhere.expectRefusal(401);
  await elsewhere.page.goto("/o/northwind/api-tokens?sort=name");
  await elsewhere.heading("Sign in");
  await elsewhere.fill("E-mail address", browser.world.people.developer.email);
  await elsewhere.fill("Password", "another horse 2");
  await elsewhere.click("button", "Sign in");
  await elsewhere.arrive("/o/northwind/api-tokens");
  assert.equal(elsewhere.where(), "/o/northwind/api-tokens?sort=name");

  // All others at once.
  await person.page.reload();
  await person.click("button", "Sign out everywhere else");
  await person.get("dialog", "Sign out everywhere else?").getByRole("button", { name: "Sign out everywhere else" }).click();
  await person.see("You are signed out everywhere else.");
  await elsewhere.click("link", "Account");
  await elsewhere.heading("Sign in");
}
