// What a first look costs: few scripts, packed, and nothing for pages that are not looked at. And what the whole is like without
// a mouse.

import assert from "node:assert/strict";

/** Bytes of packed script on the first load. What is there today is a third of it. */
const MOST = 200_000;

export default async function (browser) {
  const person = await browser.nobody();
  const packed = [];
  person.page.on("response", (response) => {
    if (new URL(response.url()).pathname.startsWith("/assets/")) packed.push(response.headers()["content-encoding"]);
  });
  await person.open("/sign-in");
  assert.ok((await scripts(person)) < MOST, `${await scripts(person)} bytes of script before signing in`);
  await person.fill("E-mail address", browser.world.people.owner.email);
  await person.fill("Password", browser.world.people.owner.password);
  await person.page.keyboard.press("Enter");
  await person.heading("API Tokens");
  await person.settle();
  assert.ok((await scripts(person)) < MOST, `${await scripts(person)} bytes of script with the first page`);
  assert.ok(packed.includes("gzip"), "scripts come packed");

  // By keyboard alone: past the navigation, and into the first token.
  await person.page.keyboard.press("Tab");
  await person.page.evaluate(() => document.body.focus());
  await person.get("link", "Skip to the content").focus();
  await person.page.keyboard.press("Enter");
  await person.get("link", "Nightly import").focus();
  await person.page.keyboard.press("Enter");
  await person.heading("Nightly import");
  // Who does not see it is told that the page is another one: the heading has the focus.
  await person.page.waitForFunction(() => document.activeElement?.matches("main, h1"));
  await person.get("button", "Delete").focus();
  await person.page.keyboard.press("Enter");
  await person.get("dialog", "Delete Nightly import?").waitFor();
  await person.page.keyboard.press("Escape");
  await person.page.waitForFunction(() => document.activeElement?.textContent?.trim() === "Delete");

  // The other theme, and one that is kept.
  await person.page.getByLabel("Theme").selectOption("Dark");
  assert.equal(await background(person), "rgb(14, 17, 21)");
  await person.page.reload();
  await person.heading("Nightly import");
  assert.equal(await background(person), "rgb(14, 17, 21)");
  await person.page.getByLabel("Theme").selectOption("As the system");
}

function scripts(person) {
  return person.page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter((it) => new URL(it.name).pathname.endsWith(".js"))
      .reduce((sum, it) => sum + it.encodedBodySize, 0),
  );
}

function background(person) {
  return person.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
}
