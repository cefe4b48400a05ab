// The web app's files as Nginx sends them: each in the best form that the client takes, typed as what it is.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { Nginx } from '../support/nginx.mjs';
import { temporary_folder } from '../support/system.mjs';

const PAGE = '<!doctype html><title>shop</title>', SCRIPT = 'export const text = "Grüße";';
const decoders = { br: zlib.brotliDecompressSync, gzip: zlib.gunzipSync, none: (body) => body };
let base, nginx;

function write(file, text) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.writeFileSync(`${file}.br`, zlib.brotliCompressSync(text));
    fs.writeFileSync(`${file}.gz`, zlib.gzipSync(text));
}

before(async () => {
    const web = path.join(temporary_folder(), 'web');
    write(path.join(web, 'index.html'), PAGE);
    write(path.join(web, 'docs/index.html'), PAGE);
    write(path.join(web, 'assets/shell/a-1234.js'), SCRIPT);
    nginx = await new Nginx({ servers: [`set $purser_web ${web}; include web.conf;`] }).start();
    [base] = nginx.bases;
});

after(() => nginx?.stop());

/** The answer, its body decoded as it says. */
const get = (target, accepted) => new Promise((resolve, reject) => {
    const headers = accepted ? { 'accept-encoding': accepted } : {};
    http.get(base + target, { headers, agent: false }, async (answer) => {
        const encoding = answer.headers['content-encoding'] ?? 'none';
        const text = decoders[encoding](Buffer.concat(await answer.toArray())).toString();
        resolve({ status: answer.statusCode, encoding, type: answer.headers['content-type'], vary: answer.headers.vary, text });
    }).on('error', reject);
});

const cases = [['br, gzip', 'br'], ['gzip, deflate, br', 'br'], ['br;q=0.5', 'br'], ['gzip', 'gzip'], ['br;q=0, gzip', 'gzip'], ['', 'none']];
for (const [accepted, encoding] of cases) {
    test(`a client that takes "${accepted}" gets ${encoding}`, async () => {
        for (const target of ['/', '/orders/some/deep/link', '/docs']) {
            assert.deepEqual(await get(target, accepted),
                { status: 200, encoding, type: 'text/html; charset=utf-8', vary: 'Accept-Encoding', text: PAGE }, target);
        }
        const script = await get('/assets/shell/a-1234.js', accepted);
        assert.match(script.type, /^(text|application)\/javascript; charset=utf-8$/);
        assert.deepEqual([script.status, script.encoding, script.text], [200, encoding, SCRIPT]);
    });
}

test('a file that is not there is no page', async () => {
    assert.equal((await get('/assets/shell/gone-1234.js', 'br')).status, 404);
});
