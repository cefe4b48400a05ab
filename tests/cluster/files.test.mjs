// The web app's files as Nginx sends them: each in the best form that the client takes, typed as what it is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { free_port, temporary_folder } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const deploy = new URL('../../deploy/nginx/', import.meta.url).pathname;
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
    const folder = temporary_folder(), web = path.join(folder, 'web'), port = await free_port();
    for (const at of [folder, web]) {
        fs.mkdirSync(at, { recursive: true });
        fs.chmodSync(at, 0o755);
    }
    write(path.join(web, 'index.html'), PAGE);
    write(path.join(web, 'docs/index.html'), PAGE);
    write(path.join(web, 'assets/shell/a-1234.js'), SCRIPT);
    const conf = path.join(folder, 'nginx.conf');
    fs.cpSync(deploy, folder, { recursive: true });
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n');
    fs.writeFileSync(conf, `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; ${process.getuid() ? '' : 'user root;'}
        events {}
        http { include /etc/nginx/mime.types; ${temp} map $http_origin $cors_origin { default ""; }
            include http.conf; access_log off;
            server { listen 127.0.0.1:${port}; set $purser_web ${web}; include web.conf; } }`);
    nginx = spawn('nginx', ['-c', conf, '-p', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
    base = `http://127.0.0.1:${port}`;
    await until('nginx answers', () => get('/').then((answer) => answer.status === 200, () => false));
});

after(() => nginx.kill());

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
