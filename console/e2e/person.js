// Somebody in front of a browser: what they do, what they see, and what their browser notices meanwhile.

import assert from "node:assert/strict";

const NARROW = { width: 390, height: 844 };
/** A page that moves while it is read: Google's threshold for "good" is 0.1. */
const SHIFT_MOST = 0.1;
/** Asked for when nobody may be signed in: that is how a page finds out. */
const ASKED_WITHOUT_SESSION = /\/api\/auth\/(me|refresh)$/;

/** Counts what moves without anybody having done something (https://web.dev/articles/cls). */
function countShifts() {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}

export class Person {
  page;
  context;
  #world;
  #folder;
  #axe;
  #complaints = [];
  #console = [];
  #allowed = [];

  static async at(context, { world, folder, axe }) {
    const person = new Person();
    Object.assign(person, { context });
    person.#world = world;
    person.#folder = folder;
    person.#axe = axe;
    await context.addInitScript(countShifts);
    context.on("page", (page) => person.#listen(page));
    person.page = await context.newPage();
    return person;
  }

  #listen(page) {
    const own = new URL(this.#world.url).origin;
    page.on("console", (message) => {
      const [text, from] = [message.text(), message.location().url];
      this.#console.push(`${message.type()}: ${text} (${from})`);
      if (message.type() === "error" && !this.#isExpected(text, from)) this.#complaints.push(`${text} (${from})`);
    });
    page.on("pageerror", (error) => this.#complaints.push(`an error that nothing catches: ${error.stack ?? error}`));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== own && !["blob:", "data:", "about:"].includes(url.protocol)) {
        this.#complaints.push(`a request to another host: ${request.url()}`);
      }
    });
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText ?? "";
      // What a page asked for before it was left.
      if (why !== "net::ERR_ABORTED") this.#complaints.push(`${request.url()} failed: ${why}`);
    });
  }

  /** The browser says on the console that an answer was 4xx or 5xx: so a scenario has to say which it expects. */
  #isExpected(text, from) {
    const status = /responded with a status of (\d{3})/.exec(text)?.[1];
    if (status === undefined) return false;
    const path = new URL(from).pathname;
    if (status === "401" && ASKED_WITHOUT_SESSION.test(path)) return true;
    return this.#allowed.some((it) => it.status === Number(status) && it.path.test(path));
  }

  /** Refusals with this status are part of the scenario, for paths like this. */
  expectRefusal(status, path = /./) {
    this.#allowed.push({ status, path });
  }

  complaints() {
    return this.#complaints;
  }

  /** Signs in without a page: most scenarios are about something else. */
  async begin(name) {
    const { email, password } = this.#world.people[name];
    const answer = await this.context.request.post("/api/auth/login", { data: { email, password } });
    assert.equal(answer.status(), 200, await answer.text());
  }

  /** Opens a page by its address. */
  async open(path) {
    await this.page.goto(path);
    await this.heading();
  }

  /** Waits for a page's heading, and gives its text. */
  async heading(text) {
    const heading = this.page.getByRole("heading", { level: 1, ...(text === undefined ? {} : { name: text, exact: true }) });
    await heading.first().waitFor();
    return (await heading.first().innerText()).trim();
  }

  /** The control with this role and exactly this name. */
  get(role, name, more = {}) {
    return this.page.getByRole(role, { name, exact: true, ...more });
  }

  async click(role, name, more = {}) {
    await this.get(role, name, more).click();
  }

  async fill(label, text) {
    await this.page.getByLabel(label, { exact: true }).fill(text);
  }

  /** Waits until this is on the page. */
  async see(text) {
    await this.page.getByText(text).first().waitFor();
  }

  /** Waits until this is not on the page. */
  async gone(text) {
    await this.page.getByText(text).first().waitFor({ state: "detached" });
  }

  /** Where they are: path and query. */
  where() {
    const { pathname, search } = new URL(this.page.url());
    return pathname + search;
  }

  /** Waits until they are there. */
  async arrive(path) {
    await this.page.waitForURL((url) => (path instanceof RegExp ? path.test(url.pathname) : url.pathname === path));
  }

  /** Waits until path and query are like this. */
  async arriveAt(pattern) {
    await this.page.waitForURL((url) => pattern.test(url.pathname + url.search));
  }

  /** Calls the API as a page of the console does, and gives the body of the answer, which has to have this status. */
  async api(method, path, { body, status, slug } = {}) {
    const answer = await this.context.request.fetch(path, {
      method,
      headers: { "Sec-Fetch-Site": "same-origin", ...(slug ? { "X-Org-Slug": slug } : {}) },
      ...(body === undefined ? {} : { data: body }),
    });
    const text = await answer.text();
    assert.equal(answer.status(), status ?? 200, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** Waits until nothing is on its way that the page says so of. */
  async settle() {
    await this.page.waitForFunction(() => !document.querySelector(".loading, .ghost, [aria-busy=true]"));
    await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  /** Looks at the page: in light, in dark and on a narrow screen. Nothing has moved, nothing is cut off, nobody is shut out. */
  async look(name) {
    await this.settle();
    const shifted = await this.page.evaluate(() => window.shifted);
    assert.ok(shifted < SHIFT_MOST, `${name}: the page moves while it is read (${shifted})`);
    const wide = this.page.viewportSize();
    for (const colorScheme of ["light", "dark"]) {
      await this.page.emulateMedia({ colorScheme });
      await this.#shoot(`${name}-${colorScheme}`);
      await this.#audit(`${name}, ${colorScheme}`);
    }
    await this.page.emulateMedia({ colorScheme: "light" });
    await this.page.setViewportSize(NARROW);
    await this.#shoot(`${name}-narrow`);
    await this.#audit(`${name}, narrow`);
    const needed = await this.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(needed <= NARROW.width, `${name}: takes ${needed} pixels on a screen of ${NARROW.width}`);
    await this.page.setViewportSize(wide);
    await this.page.evaluate(() => (window.shifted = 0));
  }

  /** The whole page; what is in front of it, such as a dialog, as it is seen. */
  async #shoot(name) {
    // What stays in sight stays at the top.
    await this.page.evaluate(() => window.scrollTo(0, 0));
    const open = await this.page.locator("dialog[open]").count();
    await this.page.screenshot({ path: `${this.#folder}/${name}.png`, fullPage: open === 0, animations: "disabled" });
  }

  async #audit(where) {
    await this.page.evaluate(this.#axe);
    const violations = await this.page.evaluate(async () => {
      const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
      return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, at: nodes.map((it) => it.html) }));
    });
    const grave = violations.filter((it) => ["serious", "critical"].includes(it.impact));
    assert.deepEqual(grave, [], `${where}: axe-core finds barriers`);
  }

  async report(path) {
    await this.page.screenshot({ path }).catch(() => {});
    const text = await this.page.locator("body").innerText({ timeout: 2000 }).catch(() => "(no page)");
    const tree = text.split("\n").map((line) => `    ${line}`);
    return [
      `  on ${this.page.url()} (${path})`,
      "  the page:",
      ...tree.slice(0, 120),
      "  its console:",
      ...this.#console.map((line) => `    ${line}`),
      ...this.#complaints.map((line) => `    complaint: ${line}`),
    ].join("\n");
  }
}
