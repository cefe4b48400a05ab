// Bundles the prelude and writes it as one C file: node build.mjs OUTPUT.c, in a folder with this one's node_modules.
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { build, transform } from "esbuild";

const MODULES = ["url", "tr46", "encoding", "exception", "clone", "base64", "inspect"];
// The legacy East Asian encodings are left out: 150 KB of tables.
const STAND_INS = { "@exodus/bytes/encoding.js": "@exodus/bytes/encoding-lite.js" };
const TARGET = "es2022";

const bytes = (text) => Array.from(Buffer.from(text, "utf8"), String).join(",").replace(/(.{1,110},)/g, "$1\n");
const array = (name, text) => `static const char ${name}[] = {\n${bytes(text)},0};\n`;

// These look at globalThis for natives that would be our own lazy names: they see an empty one.
const BLIND = new Set(["tr46", "encoding"]);

// What stands for parts of whatwg-url and for what it takes from other packages.
const URL_STAND_INS = { "@exodus/bytes/encoding.js": "./modules/url-bytes.js", "@exodus/bytes/whatwg.js": "./modules/url-bytes.js", tr46: "./modules/tr46-lazy.js" };
const URL_PARTS = { "./encoding": "modules/url-bytes.js", "./URLSearchParams": "modules/url-params.js", "./URL": "modules/url-params.js" };
const urlParts = {
  name: "parts of whatwg-url",
  setup(build) {
    build.onResolve({ filter: /^\.\/(encoding|URLSearchParams|URL)$/ }, ({ path, importer }) =>
      importer.includes("/whatwg-url/") ? { path: resolve(URL_PARTS[path]) } : undefined);
  },
};

async function bundle(name) {
  const result = await build({
    entryPoints: [`modules/${name}.js`],
    bundle: true, minify: true, write: false, charset: "ascii",
    format: "iife", globalName: "module", target: TARGET, legalComments: "none",
    ...(BLIND.has(name) ? { platform: "neutral", mainFields: ["module", "main"], conditions: ["react-native"] } : { platform: "browser" }),
    alias: name === "url" ? URL_STAND_INS : STAND_INS,
    plugins: name === "url" ? [urlParts] : [],
  });
  return `(function(load${BLIND.has(name) ? ",globalThis={}" : ""}){${result.outputFiles[0].text};return module})`;
}

// An expression that nothing uses would be minified away, so it is assigned, and the assignment taken off again.
const assigned = await transform("bootstrap=" + readFileSync("bootstrap.js", "utf8"), { minify: true, target: TARGET, charset: "ascii" });
const bootstrap = assigned.code.trim().replace(/^bootstrap=/, "").replace(/;$/, "");
let out = "/* Made by functions/prelude/build.mjs. */\n#include \"function_host/prelude.h\"\n\n";
out += array("bootstrap", bootstrap) + "const char *const prelude_bootstrap = bootstrap;\n\n";
const rows = [];
for (const name of MODULES) {
  out += array(`module_${name}`, await bundle(name));
  rows.push(`    { "${name}", module_${name} },`);
}
out += `\nconst struct prelude_module prelude_modules[] = {\n${rows.join("\n")}\n    { 0, 0 },\n};\n`;
writeFileSync(process.argv[2], out);
