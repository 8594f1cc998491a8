// Whoever has been wrong too often waits, and is told how long.

export default async function (browser) {
  const person = await browser.nobody();
  const { email } = browser.world.people.viewer;
  await person.open("/sign-in");
  for (let tries = 0; tries < 10; tries += 1) {
    await person.api("POST", "/api/auth/login", { body: { email, password: `wrong horse ${tries}` }, status: 401 });
  }
  person.expectRefusal(429, /\/api\/auth\/login$/);
  await person.fill("E-mail address", email);
  await person.fill("Password", browser.world.people.viewer.password);
  await person.click("button", "Sign in");
  await person.get("alert").getByText(/tried too often\. Try again in \d+ (seconds|minutes)\./).waitFor();
  await person.look("sign-in-locked-out");
}
