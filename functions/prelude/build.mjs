// Bundles the prelude and writes it as one C file: node build.mjs OUTPUT.c, in a folder with this one's node_modules.
import { readFileSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";

const MODULES = ["url", "tr46", "encoding", "exception", "clone", "base64", "inspect"];
// The legacy East Asian encodings are left out: 150 KB of tables.
const STAND_INS = { "@exodus/bytes/encoding.js": "@exodus/bytes/encoding-lite.js" };
const TARGET = "es2022";

const bytes = (text) => Array.from(Buffer.from(text, "utf8"), String).join(",").replace(/(.{1,110},)/g, "$1\n");
const array = (name, text) => `static const char ${name}[] = {\n${bytes(text)},0};\n`;

// webidl-conversions takes the getters of SharedArrayBuffer, which the workers' engine has switched off.
const NO_SHARED_MEMORY = "class SharedArrayBuffer{get byteLength(){throw new TypeError}get growable(){throw new TypeError}}";

// These look at globalThis for natives that would be our own lazy names: they see an empty one.
const BLIND = new Set(["url", "tr46", "encoding"]);

async function bundle(name) {
  const result = await build({
    entryPoints: [`modules/${name}.js`],
    bundle: true, minify: true, write: false, charset: "ascii",
    format: "iife", globalName: "module", target: TARGET, legalComments: "none",
    ...(BLIND.has(name) ? { platform: "neutral", mainFields: ["module", "main"], conditions: ["react-native"] } : { platform: "browser" }),
    alias: name === "url" ? { ...STAND_INS, tr46: "./modules/tr46-lazy.js" } : STAND_INS,
  });
  return `(function(load${BLIND.has(name) ? ",globalThis={}" : ""}){${NO_SHARED_MEMORY}${result.outputFiles[0].text};return module})`;
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
