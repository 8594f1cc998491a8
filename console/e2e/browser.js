// A browser as scenarios use it: people who have signed in, pages that are looked at, and what must not happen meanwhile.

import { Person } from "./person.js";
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The rest of the suite may have all the cores. */
const PATIENCE_MS = 20_000;

export class Browser {
  /** What the gateway is: `url`, `edge`, `people`, `organizations` and so on, as tests/suite/console has it. */
  world;
  #chromium;
  #name;
  #folder;
  #axe;
  #people = [];

  static async start({ name, world, folder, axe }) {
    const browser = new Browser();
    browser.world = world;
    browser.#name = name;
    browser.#folder = folder;
    browser.#axe = axe;
    await mkdir(`${folder}/failures`, { recursive: true });
    browser.#chromium = await chromium.launch({
      executablePath: world.chromium,
      headless: true,
      chromiumSandbox: false,
      args: ARGUMENTS,
    });
    return browser;
  }

  /** Somebody in front of an empty browser, on no page yet. */
  async nobody() {
    const context = await this.#chromium.newContext({
      baseURL: this.world.url,
      viewport: { width: 1360, height: 900 },
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const person = await Person.at(context, { world: this.world, folder: this.#folder, axe: this.#axe });
    this.#people.push(person);
    return person;
  }

  /** Somebody who has signed in, on this page. */
  async person(name, path = "/") {
    const person = await this.nobody();
    await person.begin(name);
    await person.open(path);
    return person;
  }

  /** Fails for what went wrong unnoticed. */
  finish() {
    const complaints = this.#people.flatMap((it) => it.complaints());
    if (complaints.length > 0) throw new Error(`what a page complained of:\n  ${complaints.join("\n  ")}`);
  }

  /** What went wrong, and what was on the screens. */
  async report(fault) {
    const parts = [`${this.#name}: ${fault.stack ?? fault}`];
    for (const [number, person] of this.#people.entries()) {
      const path = `${this.#folder}/failures/${this.#name}${number || ""}.png`;
      parts.push(await person.report(path));
    }
    return parts.join("\n\n");
  }

  async close() {
    await this.#chromium.close().catch(() => {});
  }
}
