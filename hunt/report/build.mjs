// Makes dist/ of src/: one script and one style, each with the notice of what is in it. `node build.mjs [FOLDER]`.
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "dist");
const { dependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
const modules = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
const licence = readFileSync(join(here, "node_modules/d3-selection/LICENSE"), "utf8").trim();
const notice = `/*!
The script of Spanlake's report. It contains ${modules.join(", ")} and what they stand on:

${licence}
*/`;

await build({
  absWorkingDir: here,
  entryPoints: { report: "src/main.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  // The script stands inside of an HTML element: nothing in it may look like that element's end.
  charset: "ascii",
  legalComments: "none",
  banner: { js: notice },
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { report: "src/report.css" },
  outdir: out,
  minify: true,
  logLevel: "warning",
});
