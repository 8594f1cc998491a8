// Somebody signs in, is refused for a wrong password, and signs out. No script of the page can read the session.

import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.nobody();
  const { email, password } = browser.world.people.owner;
  await person.page.goto("/account?from=a-link");
  await person.heading("Sign in");
  await person.arrive("/sign-in");
  await person.look("sign-in");

  person.expectRefusal(401, /\/api\/auth\/login$/);
  await person.fill("E-mail address", email);
  await person.fill("Password", "wrong horse 1");
  await person.page.keyboard.press("Enter");
  await person.get("alert").getByText("The e-mail address or the password is wrong.").waitFor();
  await person.look("sign-in-refused");

  await person.fill("E-mail address", email);
  await person.fill("Password", password);
  await person.click("button", "Sign in");
  // Back to where the link led.
  await person.arrive("/account");
  assert.equal(person.where(), "/account?from=a-link");
  await noSecret(person);

  // It is still there in a new window, and after a reload.
  await person.page.reload();
  await person.heading();
  await person.click("button", "Sign out");
  await person.heading("Sign in");
  await person.page.goto("/account");
  await person.heading("Sign in");
  assert.deepEqual(await person.context.cookies(), []);
}

async function noSecret(person) {
  const cookies = await person.context.cookies();
  assert.deepEqual(cookies.map(({ name }) => name).sort(), ["portcullis_access", "portcullis_refresh"]);
  assert.ok(cookies.every((it) => it.httpOnly && it.sameSite === "Strict"));
  const kept = await person.page.evaluate(() =>
    JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, history.state, location.href]),
  );
  for (const { value } of cookies) assert.ok(!kept.includes(value), kept);
  assert.ok(!kept.includes("refresh_") && !kept.includes("eyJ"), kept);
}
