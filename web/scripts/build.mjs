/**
 * Builds what the gateway serves into build/web. Without arguments everything; with names (`orders`) those packages
 * alone, whose new entries go into the manifest: that is how one is deployed without the others.
 */
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'vite';
import { compressAll } from './compress.mjs';
import { buildDocs } from './docs.mjs';
import { configOf, OUTPUT, REMOTES } from './federation.mjs';
import { generateClient } from './generate.mjs';

const chosen = process.argv.slice(2);
const names = chosen.length > 0 ? chosen : ['shell', ...REMOTES, 'docs'];

if (chosen.length === 0) fs.rmSync(OUTPUT, { recursive: true, force: true });
await generateClient();
for (const name of names) {
  if (name === 'docs') buildDocs();
  else await build(configOf(name));
}
if (names.includes('shell')) placePage();
writeManifest();
await compressAll(OUTPUT);
console.log(`web: ${names.join(', ')} built into ${path.relative(process.cwd(), OUTPUT)}`);

/** The page belongs to the root; its typeface is fetched with it, so that no text is drawn twice. */
function placePage() {
  const folder = path.join(OUTPUT, 'assets', 'shell');
  const font = fs.readdirSync(folder).find((file) => file.endsWith('.woff2'));
  const scheme = hashedName(folder, 'scheme.js');
  const links = [
    '<link rel="icon" type="image/svg+xml" href="/favicon.svg" />',
    `<link rel="preload" as="font" type="font/woff2" crossorigin href="/assets/shell/${font}" />`,
    `<script src="/assets/shell/${scheme}"></script>`,
  ].join('\n    ');
  fs.renameSync(path.join(folder, 'favicon.svg'), path.join(OUTPUT, 'favicon.svg'));
  const page = fs.readFileSync(path.join(folder, 'index.html'), 'utf8').replace('<!-- head -->', links);
  fs.writeFileSync(path.join(OUTPUT, 'index.html'), page);
  fs.rmSync(path.join(folder, 'index.html'));
}

/** Everything under /assets/ is named by its content, since it is cached for ever. */
function hashedName(folder, name) {
  const hash = crypto.createHash('sha256').update(fs.readFileSync(path.join(folder, name))).digest('base64url').slice(0, 8);
  const hashed = name.replace(/(\.\w+)$/, `-${hash}$1`);
  fs.renameSync(path.join(folder, name), path.join(folder, hashed));
  return hashed;
}

function writeManifest() {
  const remotes = {};
  for (const name of REMOTES) {
    const folder = path.join(OUTPUT, 'assets', name);
    const entry = fs.existsSync(folder) && fs.readdirSync(folder).find((file) => /^entry-.*\.js$/.test(file));
    if (entry) remotes[name] = { entry: `/assets/${name}/${entry}` };
  }
  fs.writeFileSync(path.join(OUTPUT, 'manifest.json'), `${JSON.stringify({ remotes }, null, 2)}\n`);
}
