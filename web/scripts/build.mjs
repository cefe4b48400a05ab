/**
 * Builds what the gateway serves into build/web. Without arguments everything; with names (`orders`) those packages
 * alone, whose new entries go into the manifest: that is how one is deployed without the others.
 */
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
if (names.includes('shell')) fs.renameSync(path.join(OUTPUT, 'shell', 'index.html'), path.join(OUTPUT, 'index.html'));
writeManifest();
await compressAll(OUTPUT);
console.log(`web: ${names.join(', ')} built into ${path.relative(process.cwd(), OUTPUT)}`);

function writeManifest() {
  const remotes = {};
  for (const name of REMOTES) {
    const folder = path.join(OUTPUT, name);
    const entry = fs.existsSync(folder) && fs.readdirSync(folder).find((file) => /^entry-.*\.js$/.test(file));
    if (entry) remotes[name] = { entry: `/${name}/${entry}` };
  }
  fs.writeFileSync(path.join(OUTPUT, 'manifest.json'), `${JSON.stringify({ remotes }, null, 2)}\n`);
}
