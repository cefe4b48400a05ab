// How the web app is served and what it asks of those who use it: the keyboard alone, a small window, little to fetch.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { assert_fits, launch, missing, web_folder } from '../support/browser.mjs';
import { raw } from '../support/client.mjs';
import { admin, PASSWORD, product, register } from '../support/shop.mjs';
import { customer, leave, visitor, web_system } from '../support/web-shop.mjs';

const options = { skip: missing };
const MOST_SCRIPT_BYTES = 250_000;
let browser;
let shop;
let boss;
let mug;

before(async () => {
    if (missing) return;
    shop = await web_system();
    browser = await launch();
    boss = await admin(shop);
    mug = await product(boss);
});
after(async () => {
    await browser?.close();
    await shop?.stop();
});

/** Runs in the page: what has the focus is called so. */
const focused = () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '';

/** Presses a key until what has the focus is called so; `looks`: what holds, in the page, of all on the way. */
async function go_to(page, name, { key = 'Tab', looks } = {}) {
    for (let presses = 0; presses < 100; presses += 1) {
        await page.keyboard.press(key);
        if (looks) await page.waitForFunction(looks);
        if (name.test(await page.evaluate(focused))) return;
    }
    assert.fail(`${key} does not lead to ${name}`);
}

/** After a move within the page: the focus is where the new page begins. */
async function arrived(page, heading) {
    await page.getByRole('heading', { name: heading }).first().waitFor();
    await page.waitForFunction(() => document.activeElement?.id === 'content');
}

test('everything by keyboard: form, skip link, menu, an order', options, async () => {
    const ada = await register(shop);
    const one = await visitor(browser, shop);
    const { page } = one;
    await page.goto('/sign-in');
    await page.getByLabel(/^Email/).waitFor();
    await page.keyboard.type(ada.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The shop' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'The shop' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
    await page.getByRole('button', { name: /Account of/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Account' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menuitem', { name: 'Account' }).waitFor({ state: 'hidden' });
    const add = new RegExp(`^Add ${mug.name}`);
    await page.getByRole('button', { name: add }).first().waitFor();
    await go_to(page, add);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /^Basket, 1 item/ }).waitFor();
    await go_to(page, /^Basket, 1 item/, { key: 'Shift+Tab' });
    await page.keyboard.press('Enter');
    await arrived(page, 'Basket');
    await go_to(page, /^Go to checkout/);
    await page.keyboard.press('Enter');
    await arrived(page, 'Checkout');
    await go_to(page, /^Pay /);
    await page.keyboard.press('Enter');
    await page.getByText('Order status: Paid').waitFor({ state: 'attached' });
    await leave(one);
});

/** Runs in the page: whether all of what has the focus can be seen: nothing lies over its middle. */
function focus_is_seen() {
    const one = document.activeElement;
    const { x, y, width, height } = one.getBoundingClientRect();
    const top = document.elementFromPoint(x + width / 2, y + height / 2);
    return y >= 0 && Math.floor(y + height) <= innerHeight && (top === null || one.contains(top) || top.contains(one));
}

test('a window of 320 pixels, as on a screen at 400 %: nothing is wider, nothing with the focus is hidden', options, async () => {
    const one = await customer(browser, shop, { viewport: { width: 320, height: 640 } });
    const { page } = one;
    for (const [path, ready] of [['/', mug.name], [`/products/${mug.sku}`, mug.name], ['/orders', 'No orders yet'], ['/account', 'This device'], ['/notifications', 'Welcome'], ['/basket', 'Your basket is empty']]) {
        await page.goto(path);
        await page.getByRole('main').getByText(ready).first().waitFor();
        await assert_fits(page, path);
    }
    await page.goto(`/products/${mug.sku}`);
    await page.getByRole('button', { name: `Add ${mug.name} to the basket` }).click();
    await page.goto('/checkout');
    await page.getByRole('button', { name: /^Pay/ }).waitFor();
    await assert_fits(page, 'checkout');
    await go_to(page, /^Pay /, { looks: focus_is_seen });
    await leave(one);
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
