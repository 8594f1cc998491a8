// Builds the pages that the gateway serves on its admin listener: the console and, as an entry of its own, the API reference.
// What they share, they share as files with a hash of their content in the name.

import { svelte } from "@sveltejs/vite-plugin-svelte";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

/** The packages of which something is in what is built, and the texts that go with them. */
const LICENCES = [
  ["swagger-ui-dist", "NOTICE", "LICENSE", "swagger-ui-es-bundle.js.LICENSE.txt"],
  ["svelte", "LICENSE.md"],
  ["sv-router", "LICENSE"],
  ["openapi-fetch", "LICENSE"],
  ["qr", "LICENSE-MIT"],
  ["uplot", "LICENSE"],
];

/** What is handed on carries its licences. */
function licences() {
  return {
    name: "licences",
    apply: "build",
    async generateBundle() {
      const files = LICENCES.flatMap(([name, ...parts]) => parts.map((part) => [name, part]));
      const texts = await Promise.all(
        files.map(async ([name, part]) => `${name}\n\n${await readFile(join("node_modules", name, part), "utf8")}`),
      );
      this.emitFile({ type: "asset", fileName: "docs/licences.txt", source: texts.join("\n\n") });
    },
  };
}

/** Writes each file in gzip beside itself, where that is smaller: the gateway packs nothing while it serves. */
function packed() {
  return {
    name: "packed",
    apply: "build",
    async closeBundle() {
      for (const entry of await readdir("dist", { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || entry.name.startsWith(".")) continue;
        const path = join(entry.parentPath, entry.name);
        const plain = await readFile(path);
        const small = gzipSync(plain, { level: 9 });
        if (small.length < plain.length * 0.9) await writeFile(`${path}.gz`, small);
      }
    },
  };
}

/** The folder itself is kept, so that a build of the program without the front end is noticed when it fills. */
function ignored() {
  return {
    name: "ignored",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: ".gitignore", source: "# Built here by `npm run build`.\n*\n!.gitignore\n" });
    },
  };
}

export default defineConfig({
  build: {
    // Nothing may be inlined: the Content-Security-Policy knows files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // `light-dark()` is left as it is: what stands for it in older browsers would double every colour.
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { console: "index.html", docs: "docs/index.html" } },
  },
  plugins: [svelte(), licences(), ignored(), packed()],
});
