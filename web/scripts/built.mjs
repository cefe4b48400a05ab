/**
 * What can be known of the built app without a browser: how much of it is fetched up to the sign-in page (the browser tests measure
 * the same in one), and whether a component of the kit has no styles.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { filesUnder } from './compress.mjs';
import { OUTPUT } from './federation.mjs';

const IMPORT = /(?:from|import)"\.\/([\w-]+\.js)"/g;
/** Of the table of what packages share: the name, and the file that it is fetched from. */
const SHARE = /"(@purser\/[\w/]+)":async\(\)=>[^`]*`\.\/([\w-]+\.js)`/g;
const SHARED_LATER = ['@purser/ui/pages'];
const CLASS = /\bm_[0-9a-f]{5,10}\b/g;

/** In gzip, by kind. What is imported by a call is fetched later, but for what packages share. */
export function bytesToSignIn() {
  const page = read('/index.html');
  const files = new Set([...page.matchAll(/"(\/assets\/[\w/-]+\.(?:js|css))"/g)].map(([, file]) => file));
  const { entry } = JSON.parse(read('/manifest.json')).remotes.authentication;
  files.add(entry);
  for (const file of filesUnder(path.join(OUTPUT, 'assets/authentication'))) {
    if (/^app-[\w-]+\.js$/.test(path.basename(file))) files.add(`/assets/authentication/${path.basename(file)}`);
  }
  const shares = [...files].filter(isScript).flatMap((file) => [...read(file).matchAll(SHARE)].map(([, name, share]) => [name, beside(file, share)]));
  if (shares.length === 0) throw new Error('the page has no table of what packages share');
  for (const [name, file] of shares) if (!SHARED_LATER.includes(name)) files.add(file);
  for (const file of files) {
    if (isScript(file)) for (const [, next] of read(file).matchAll(IMPORT)) files.add(beside(file, next));
  }
  const bytes = { js: 0, css: 0 };
  for (const file of files) bytes[isScript(file) ? 'js' : 'css'] += gzipped(file);
  return bytes;
}

/** Classes of the kit that scripts use and that no stylesheet of ours has, though the kit's own has them. */
export function unstyled() {
  const kit = classesIn(fs.readFileSync(createRequire(import.meta.url).resolve('@mantine/core/styles.css'), 'utf8'));
  const all = [...filesUnder(path.join(OUTPUT, 'assets'))];
  const text = (end) => all.filter((file) => file.endsWith(end)).map((file) => fs.readFileSync(file, 'utf8')).join('\n');
  const styled = classesIn(text('.css'));
  return [...classesIn(text('.js'))].filter((name) => kit.has(name) && !styled.has(name)).map((name) => `.${name} of the kit has no styles (shared/ui/src/kit.css)`);
}

function classesIn(text) {
  return new Set(text.match(CLASS));
}

function isScript(file) {
  return file.endsWith('.js');
}

function beside(file, name) {
  return path.posix.join(path.posix.dirname(file), name);
}

function read(file) {
  return fs.readFileSync(path.join(OUTPUT, file), 'utf8');
}

function gzipped(file) {
  const whole = path.join(OUTPUT, file);
  return fs.statSync(fs.existsSync(`${whole}.gz`) ? `${whole}.gz` : whole).size;
}
