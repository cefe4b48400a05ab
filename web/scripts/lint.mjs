/**
 * What holds without a browser: the API description is valid, types fit, packages import only downward, nothing but the
 * shared packages reaches for the kit, the way to the sign-in page stays small, and what is drawn has its styles. A line
 * for each: `ok` or `not ok`.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { filesUnder } from './compress.mjs';
import { bytesToSignIn, unstyled } from './built.mjs';
import { OUTPUT } from './federation.mjs';
import { generateClient } from './generate.mjs';

const WEB = fileURLToPath(new URL('..', import.meta.url));
const MOST_BYTES = { js: 250_000, css: 25_000 };
const LAYERS = { 'shared/api': 0, 'shared/live': 1, 'shared/ui': 1, authentication: 2, orders: 2, notifications: 2, functions: 2, operations: 2, shell: 3 };
const KIT = /^(@mantine|@tanstack|react-router|openapi-fetch)/;

const NOT_BUILT = ['not built: run scripts/web first'];

await generateClient();
const results = await Promise.all([
  run('the API description is valid', 'redocly', ['lint', '../api/openapi.yaml', '--format', 'stylish']),
  run('types fit', 'tsc', ['-p', 'tsconfig.json']),
  check('packages import only downward', importBreaches()),
  check('the sign-in page is small', oversize()),
  check('what is drawn has its styles', isBuilt() ? unstyled() : NOT_BUILT),
]);
process.exit(results.every(Boolean) ? 0 : 1);

function check(name, complaints) {
  for (const line of complaints) console.log(`  ${line}`);
  console.log(`${complaints.length === 0 ? 'ok' : 'not ok'} ${name}`);
  return complaints.length === 0;
}

function run(name, command, args) {
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };
  const child = spawn(path.join(WEB, 'node_modules/.bin', command), args, { cwd: WEB, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (part) => { text += part; });
  child.stderr.on('data', (part) => { text += part; });
  return new Promise((resolve) => {
    child.on('close', (status) => resolve(check(name, status === 0 ? [] : text.trim().split('\n'))));
  });
}

function importBreaches() {
  const found = [];
  for (const [name, layer] of Object.entries(LAYERS)) {
    for (const file of filesUnder(path.join(WEB, name, 'src'))) {
      for (const [, target] of fs.readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)) {
        const why = breach(name, layer, target);
        if (why) found.push(`${path.relative(WEB, file)}: ${target}: ${why}`);
      }
    }
  }
  return found;
}

function breach(name, layer, target) {
  if (target.startsWith('../')) return 'reaches out of its package';
  if (KIT.test(target) && !name.startsWith('shared/')) return 'comes from @purser/ui or @purser/api';
  const own = /^@purser\/(\w+)/.exec(target)?.[1];
  if (own === undefined) return null;
  const other = LAYERS[`shared/${own}`];
  if (other === undefined) return 'packages are joined at run time, not by imports';
  return other < layer ? null : 'is not below it';
}

function isBuilt() {
  return fs.existsSync(path.join(OUTPUT, 'index.html'));
}

function oversize() {
  if (!isBuilt()) return NOT_BUILT;
  const bytes = bytesToSignIn();
  return Object.entries(MOST_BYTES).flatMap(([kind, most]) => {
    console.log(`  ${(bytes[kind] / 1000).toFixed(0)} of ${most / 1000} KB of ${kind}, in gzip`);
    return bytes[kind] <= most ? [] : [`too much ${kind} before the sign-in page`];
  });
}
