// The organization at a glance, the switch between two, and an address at which there is nothing.

export default async function (browser) {
  const person = await browser.person("both", "/o/northwind");
  await person.heading("Northwind Logistics");
  await person.look("organization");
  await person.page.getByRole("button", { name: /Northwind Logistics/ }).click();
  await person.page.getByRole("link", { name: /Contoso Health/ }).click();
  await person.arrive("/o/contoso/api-tokens");
  await person.see("You have no API tokens");
  // Pages of no organization lead back to it, and so does the beginning.
  await person.click("link", "Account");
  await person.heading("Account");
  await person.click("link", "API Tokens");
  await person.arrive("/o/contoso/api-tokens");
  await person.open("/");
  await person.arrive("/o/contoso/api-tokens");
  await person.page.evaluate(() => history.pushState(null, "", "/nowhere"));
  await person.page.evaluate(() => dispatchEvent(new PopStateEvent("popstate")));
  await person.heading("There is no such page");
  await person.look("no-such-page");
  // On a narrow screen the navigation is behind a button.
  await person.page.setViewportSize({ width: 390, height: 844 });
  await person.click("button", "Menu");
  await person.get("dialog", "Menu").getByRole("link", { name: "Organization", exact: true }).click();
  await person.heading("Contoso Health");
  await person.get("dialog", "Menu").waitFor({ state: "hidden" });
}
