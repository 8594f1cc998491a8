// Runs one scenario in a real Chromium: `node e2e/run.js NAME`, started by tests/suite/console.rs, which says on standard input what the
// gateway is that the scenario finds. Whatever a page complains of fails it, and so does what nobody notices but who needs it.

import { Browser } from "./browser.js";
import { readFile, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const name = process.argv[2];
const world = JSON.parse(await firstLine());

/** The first line that comes. Nothing else does: where the input ends, the test is gone, and the browser goes with it. */
function firstLine() {
  process.stdin.setEncoding("utf8");
  process.stdin.once("end", () => process.exit(1));
  return new Promise((resolve) => {
    let text = "";
    process.stdin.on("data", (part) => {
      text += part;
      if (text.includes("\n")) resolve(text.split("\n", 1)[0]);
    });
  });
}

const folder = world.screenshots;
const axe = await readFile(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const browser = await Browser.start({ name, world, folder, axe });
try {
  const { default: scenario } = await import(`./scenarios/${name}.js`);
  await scenario(browser);
  browser.finish();
  await rm(`${folder}/failures/${name}.png`, { force: true });
} catch (fault) {
  console.error(await browser.report(fault));
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
