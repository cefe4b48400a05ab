/** Puts a brotli and a gzip form beside every file that gets smaller by it. */
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const brotli = promisify(zlib.brotliCompress);
const gzip = promisify(zlib.gzip);
const TEXT = /\.(js|css|html|json|svg|yaml)$/;
const LEAST_BYTES = 200;

export function* filesUnder(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(full);
    else yield full;
  }
}

export async function compressAll(folder) {
  const work = [];
  for (const file of filesUnder(folder)) {
    if (TEXT.test(file)) work.push(compress(file));
  }
  await Promise.all(work);
}

async function compress(file) {
  const bytes = fs.readFileSync(file);
  const fresh = fs.existsSync(`${file}.br`) && fs.statSync(`${file}.br`).mtimeMs >= fs.statSync(file).mtimeMs;
  if (bytes.length < LEAST_BYTES || fresh) return;
  const quality = bytes.length > 500_000 ? 9 : 11;
  const params = { [zlib.constants.BROTLI_PARAM_QUALITY]: quality, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const [br, gz] = await Promise.all([brotli(bytes, { params }), gzip(bytes, { level: 9 })]);
  if (br.length < bytes.length) fs.writeFileSync(`${file}.br`, br);
  if (gz.length < bytes.length) fs.writeFileSync(`${file}.gz`, gz);
}
