// Builds the pages that the gateway serves on its admin listener. Every page is an entry of its own; what they share, they
// share as files with a hash of their content in the name.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig } from "vite";

/** What is handed on carries its licences. */
function licences() {
  const from = "node_modules/swagger-ui-dist";
  return {
    name: "licences",
    apply: "build",
    async generateBundle() {
      const parts = ["NOTICE", "LICENSE", "swagger-ui-es-bundle.js.LICENSE.txt"];
      const texts = await Promise.all(parts.map((part) => readFile(join(from, part), "utf8")));
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

export default defineConfig({
  // Nothing may be inlined: the Content-Security-Policy knows files only.
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
    rolldownOptions: { input: { docs: "docs/index.html" } },
  },
  plugins: [licences(), packed()],
});
