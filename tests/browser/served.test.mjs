// How the web app is served: little to fetch, cached by names and tags, and a page for whoever mistypes an address.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { web_folder } from '../support/browser.mjs';
import { raw } from '../support/client.mjs';
import { leave, visitor } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';

const MOST_SCRIPT_BYTES = 250_000;
let browser, shop;

const options = web_suite((suite) => {
    ({ browser, shop } = suite);
});

test('little is fetched before the sign-in page, all of it from here', options, async (t) => {
    if (shop.outside) return t.skip('the size is that of this build');
    const one = await visitor(browser, shop);
    await one.page.goto('/sign-in');
    await one.page.getByLabel(/^Email/).waitFor();
    const fetched = await one.page.evaluate(() => performance.getEntriesByType('resource')
        .map((entry) => [new URL(entry.name).pathname, entry.encodedBodySize]).filter(([name]) => name.endsWith('.js')));
    const gzipped = (name) => [`${web_folder}${name}.gz`, `${web_folder}${name}`].find((file) => fs.existsSync(file));
    const brotli = fetched.reduce((sum, [, bytes]) => sum + bytes, 0);
    const gzip = fetched.reduce((sum, [name]) => sum + fs.statSync(gzipped(name)).size, 0);
    t.diagnostic(`${brotli} bytes of JavaScript in brotli, ${gzip} in gzip`);
    assert.ok(brotli > 50_000 && brotli < MOST_SCRIPT_BYTES, `${brotli} bytes in brotli`);
    assert.ok(gzip > brotli && gzip < MOST_SCRIPT_BYTES, `${gzip} bytes in gzip`);
    await leave(one);
});

test('files are compressed, cached by their names, asked again by their tags', options, async (t) => {
    if (shop.outside) return t.skip('another server serves the files there');
    const get = (path, headers = {}) => fetch(shop.base + path, { headers });
    const page = await get('/orders/some/deep/link', { accept: 'text/html' });
    assert.equal(page.status, 200);
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    assert.match(page.headers.get('content-security-policy'), /script-src 'self';/);
    const [script] = /\/assets\/shell\/[\w-]+\.js(?=")/.exec((await page.text()).split('type="module"')[1]);
    const hashed = await get(script, { 'accept-encoding': 'br' });
    assert.equal(hashed.headers.get('content-encoding'), 'br');
    assert.match(hashed.headers.get('cache-control'), /immutable/);
    const again = await get(script, { 'accept-encoding': 'br', 'if-none-match': hashed.headers.get('etag') });
    assert.equal(again.status, 304);
    const manifest = await get('/manifest.json');
    assert.equal(manifest.headers.get('cache-control'), 'no-cache');
    assert.equal((await fetch(`${shop.base}/manifest.json`, { method: 'HEAD' })).headers.get('content-length'), manifest.headers.get('content-length'));
    assert.equal((await get('/assets/shell/missing.js')).status, 404);
});

test('an address that cannot be read: a person gets the app, which has words for it; a program is told', options, async () => {
    const ask = async (target, accept) => {
        const [head, body] = (await raw(shop.base, `GET ${target} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\n\r\n`, { seconds: 60 })).split('\r\n\r\n');
        return { head, body };
    };
    for (const target of ['/orders/%', '/products/%E0%A4%A', '/%zz?x=y']) {
        const { head, body } = await ask(target, 'text/html,*/*;q=0.8');
        assert.match(head, /^HTTP\/1\.1 400 /);
        for (const field of [/^content-type: text\/html/im, /^content-security-policy: .*script-src 'self';/im, /^connection: close/im]) assert.match(head, field);
        assert.match(body, /<div id="root">/);
    }
    for (const [target, accept] of [['/api/v1/orders/%', 'text/html'], ...(shop.outside ? [] : [['/orders/%', 'application/json']])]) {
        const { head, body } = await ask(target, accept);
        assert.match(head, /^content-type: application\/problem\+json/im);
        assert.equal(JSON.parse(body).status, 400);
    }
});
