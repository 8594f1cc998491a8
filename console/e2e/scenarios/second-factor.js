// Somebody sets up a second factor, signs in by it, and switches it off again.

import { code, wrong } from "../totp.js";
import assert from "node:assert/strict";

export default async function (browser) {
  const person = await browser.person("owner", "/account");
  const { email, password } = browser.world.people.owner;

  await person.click("button", "Set up a second factor");
  person.expectRefusal(400, /\/api\/auth\/totp\/\w+$/);
  person.expectRefusal(401, /\/api\/auth\/login\/2fa$/);
  await person.fill("Your password", "wrong horse 1");
  await person.click("button", "Continue");
  await person.see("The password is wrong.");
  await person.fill("Your password", password);
  await person.click("button", "Continue");
  await person.get("img", "QR code for your authenticator").waitFor();
  const secret = await person.page.locator("code.secret").innerText();
  await person.look("second-factor-set-up");

  await person.fill("Code", wrong(secret));
  await person.click("button", "Switch it on");
  await person.see("The code is not the authenticator's present one.");
  await person.fill("Code", code(secret));
  await person.click("button", "Switch it on");
  await person.heading("Account");
  await person.get("heading", "Your recovery codes").waitFor();
  const codes = await person.page.locator(".codes li").allInnerTexts();
  assert.equal(codes.length, 8);
  await person.click("button", "I have kept them");
  await person.get("heading", "Your recovery codes").waitFor({ state: "detached" });
  const left = await person.page.content();
  for (const it of [...codes, secret.replaceAll(" ", "")]) assert.ok(!left.includes(it), "what was shown once is still there");

  await person.click("button", "Sign out");
  await person.heading("Sign in");
  await person.fill("E-mail address", email);
  await person.fill("Password", password);
  await person.click("button", "Sign in");
  await person.heading("Second factor");
  await person.look("sign-in-code");
  await person.fill("Code", wrong(secret));
  await person.click("button", "Sign in");
  await person.get("alert").getByText(/^The code is wrong/).waitFor();
  await person.look("sign-in-code-refused");
  // Of the authenticator each code is good once, and the present one was used: a recovery code is as good.
  await person.fill("Code", codes[0]);
  await person.click("button", "Sign in");
  await person.heading("API Tokens");

  await person.open("/account");
  await person.click("button", "Switch it off");
  await person.fill("Your password", password);
  await person.get("dialog", "Switch the second factor off").getByRole("button", { name: "Switch it off" }).click();
  await person.get("button", "Set up a second factor").waitFor();
}
