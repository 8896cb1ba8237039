// Builds what browsers load from /graphiql into dist/: `npm run build`, called by scripts/build-graphiql.
// Every file's name holds a hash of its content; manifest.json, written last, names those that the page begins with.

import { existsSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";

const BUILT = "dist.new";
const FORMER = "dist.old";
const WORKERS = {
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};
const COMMON = {
  bundle: true,
  define: { "process.env.NODE_ENV": '"production"' },
  entryNames: "[name]-[hash]",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir: BUILT,
  target: "es2022",
};

await remove(BUILT);

const workers = await build({ ...COMMON, entryPoints: WORKERS, format: "iife" });
const workerFiles = Object.fromEntries(
  Object.keys(WORKERS).map((name) => [name, outputs(workers).find((file) => file.startsWith(`${name}-`))]),
);

const page = await build({
  ...COMMON,
  chunkNames: "part-[hash]",
  define: { ...COMMON.define, WORKER_FILES: JSON.stringify(workerFiles) },
  entryPoints: { graphiql: "src/main.js" },
  format: "esm",
  jsx: "automatic",
  plugins: [{ name: "styles once", setup: leaveOutTheEditorsOwnStyles }],
  splitting: true,
});
const [script, style] = [".js", ".css"].map((ending) =>
  outputs(page).find((file) => file.startsWith("graphiql-") && file.endsWith(ending)),
);
await writeFile(`${BUILT}/manifest.json`, JSON.stringify({ script, style }));

await remove(FORMER);
if (existsSync("dist")) await rename("dist", FORMER);
await rename(BUILT, "dist");
await remove(FORMER);

/** GraphiQL's style sheet has them already. */
function leaveOutTheEditorsOwnStyles(build) {
  build.onLoad({ filter: /monaco-editor.*\.css$/ }, () => ({ contents: "", loader: "empty" }));
}

function remove(folder) {
  return rm(folder, { recursive: true, force: true });
}

function outputs(result) {
  return Object.keys(result.metafile.outputs).map((file) => basename(file));
}
