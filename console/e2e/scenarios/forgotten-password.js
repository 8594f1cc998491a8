// A forgotten password: asked for, and chosen by the token that somebody hands over.

export default async function (browser) {
  const person = await browser.nobody();
  const { email, password } = browser.world.people.admin;
  await person.open("/sign-in");
  await person.click("link", "Choose another one");
  await person.heading("Forgotten password");
  await person.look("forgot-password");
  await person.fill("E-mail address", email);
  await person.click("button", "Ask for a token");
  await person.see("Your request is on record");
  await person.look("forgot-password-asked");
  await person.click("link", "I have a token");
  await person.heading("Choose a password");

  person.expectRefusal(401, /\/api\/auth\/(reset-password|login)$/);
  await person.fill("Token", "reset_wrong");
  await person.fill("New password", "other horse 3");
  await person.click("button", "Change the password");
  await person.see("This token is wrong, was used already, or is over. Ask for a new one.");
  await person.look("reset-password-refused");

  const server = await browser.person("server");
  const { token } = await server.api("POST", `/api/admin/users/${encodeURIComponent(email)}/password-reset`, { status: 201 });
  // Brought along by a link, it is taken out of the address.
  await person.page.goto("about:blank");
  await person.page.goto(`/reset-password#${token}`);
  await person.heading("Choose a password");
  await person.page.waitForFunction(() => location.hash === "");
  await person.fill("New password", "other horse 3");
  await person.click("button", "Change the password");
  await person.see("Your password is changed");
  await person.look("reset-password-done");

  await person.click("link", "Sign in");
  await person.fill("E-mail address", email);
  await person.fill("Password", password);
  await person.click("button", "Sign in");
  await person.get("alert").getByText("The e-mail address or the password is wrong.").waitFor();
  await person.fill("Password", "other horse 3");
  await person.click("button", "Sign in");
  await person.heading("API Tokens");
}
