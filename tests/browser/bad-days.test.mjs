// Bad days in the web app: each has a calm, correct screen, and nothing that was typed is lost.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { missing, web_folder } from '../support/browser.mjs';
import { deploy, functions_run, notified } from '../support/functions.mjs';
import { admin, all_pages, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';
import { by_api, customer, leave, member, order_id, sign_in, status, to_checkout, visitor, web_system } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';

const FAILED_LOAD = /Failed to load resource|WebSocket connection|ERR_/;
let browser, shop, boss, mug;

const options = web_suite(async (suite) => {
    ({ browser, shop, boss } = suite);
    mug = await product(boss, { stock: 100000 });
});

const problem = (status, name, headers = {}) => ({
    status, headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type: `/problems/${name}`, title: name, status, request_id: 'r1' }),
});

test('the API is down, then back: the page goes on by itself', options, async () => {
    const ada = await visitor(browser, shop, { expected: [FAILED_LOAD] });
    await ada.context.route('**/api/v1/products?*', (route) => route.abort());
    await ada.page.goto('/');
    await ada.page.getByText('Can’t reach the server').waitFor();
    await ada.page.getByRole('button', { name: 'Try again' }).waitFor();
    await ada.context.unroute('**/api/v1/products?*');
    await ada.page.getByText(mug.name).first().waitFor();
    await leave(ada);
});

test('a slow API shows the outline of what comes', options, async () => {
    const ada = await visitor(browser, shop);
    let answer;
    const held = new Promise((resolve) => { answer = resolve; });
    await ada.context.route('**/api/v1/products?*', async (route) => {
        await held;
        await route.continue();
    });
    await ada.page.goto('/');
    await ada.page.getByLabel('Loading').waitFor();
    answer();
    await ada.page.getByText(mug.name).first().waitFor();
    await leave(ada);
});

test('a lost answer to the order: the repeat makes no second one', options, async () => {
    const ada = await customer(browser, shop, { expected: [FAILED_LOAD] });
    const pay = await to_checkout(ada, mug);
    let lost = false;
    await ada.context.route('**/api/v1/orders', async (route) => {
        if (lost || route.request().method() !== 'POST') return route.continue();
        lost = true;
        await route.fetch();
        return route.abort();
    });
    await pay.click();
    await ada.page.getByText('Can’t reach the server').waitFor();
    await pay.click();
    const id = await order_id(ada);
    await status(ada, 'Paid');
    assert.deepEqual((await all_pages(await by_api(ada), '/orders')).map((one) => one.id), [id]);
    await leave(ada);
});

test('a token that ends in the middle, a server that is away when a page opens: nobody is signed out', options, async () => {
    const ada = await customer(browser, shop, { expected: [/401/, FAILED_LOAD] });
    let refused = 0;
    await ada.context.route('**/api/v1/orders?*', (route) => {
        refused += 1;
        return refused === 1 ? route.fulfill(problem(401, 'unauthorized')) : route.continue();
    });
    await ada.page.goto('/orders');
    await ada.page.getByText('No orders yet').waitFor();
    assert.equal(refused, 2);
    await ada.context.route('**/api/**', (route) => route.abort());
    await ada.page.reload();
    await ada.page.getByText('You are still signed in').waitFor();
    await ada.context.unroute('**/api/**');
    await ada.page.getByText('No orders yet').waitFor();
    await leave(ada);
});

test('too many requests: says how long, keeps the form, works afterwards', options, async () => {
    const ada = await visitor(browser, shop, { expected: [/429/] });
    await ada.context.route('**/api/v1/auth/register', (route) => route.fulfill(problem(429, 'rate-limited', { 'Retry-After': '9' })));
    await ada.page.goto('/register');
    await ada.page.getByLabel(/^Name/).fill('Ada');
    await ada.page.getByLabel(/^Email/).fill('not yet known@example');
    await ada.page.getByLabel(/^Password/).fill('a long enough password');
    await ada.page.getByRole('button', { name: 'Create account' }).click();
    await ada.page.getByText('Enter an email address').waitFor();
    await ada.page.getByLabel(/^Email/).fill(`later-${process.pid}-${Date.now()}@example.com`);
    await ada.page.getByRole('button', { name: 'Create account' }).click();
    await ada.page.getByText(/in 9 seconds/).waitFor();
    assert.equal(await ada.page.getByLabel(/^Name/).inputValue(), 'Ada');
    await ada.context.unroute('**/api/v1/auth/register');
    await ada.page.getByRole('button', { name: 'Create account' }).click();
    await ada.page.getByRole('heading', { name: 'The shop' }).waitFor();
    await leave(ada);
});

test('a refused WebSocket: the order still moves to paid', options, async () => {
    const ada = await customer(browser, shop, { expected: [FAILED_LOAD] });
    await ada.context.routeWebSocket(/\/notifications\/ws/, (socket) => socket.close({ code: 1011 }));
    await ada.page.goto('/');
    await ada.page.getByText('Live updates are paused. Reconnecting…').waitFor();
    const pay = await to_checkout(ada, mug);
    await pay.click();
    await status(ada, 'Paid');
    await leave(ada);
});

test('malformed deep links lead to a page that says so', options, async () => {
    const ada = await customer(browser, shop, { expected: [/404|400|422/] });
    for (const [path, text] of [
        ['/orders/not-an-id', 'There is no such order'], ['/orders/01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f', 'There is no such order'],
        ['/products/no%20such%2Fthing', 'There is no such product'], ['/nowhere/at/all', 'There is no such page'], ['/operations', 'This page is for administrators'],
        ['/orders?status=%3Cscript%3E', 'No orders yet'], ['/orders/%', 'There is no such order'], ['/products/%E0%A4%A', 'There is no such product'],
        ['/products/%E0%A4', 'There is no such product'], ['/%', 'There is no such page'],
    ]) {
        await ada.page.goto(path);
        await ada.page.getByText(text).first().waitFor();
    }
    await leave(ada);
});

test('a price that changed under the basket is shown before anything is charged', options, async () => {
    const ada = await customer(browser, shop, { expected: [/409/] });
    const tea = await product(boss, { unit_price: 1000 });
    const pay = await to_checkout(ada, tea);
    await boss.patch(`/products/${tea.sku}`, { unit_price: 1100 });
    await pay.click();
    await ada.page.getByText('The price has changed').waitFor();
    assert.deepEqual(await all_pages(await by_api(ada), '/orders'), []);
    await ada.page.getByRole('button', { name: /^Pay .*11[.,]00/ }).click();
    await status(ada, 'Paid');
    await leave(ada);
});

test('sold out meanwhile: said at the line', options, async () => {
    const ada = await customer(browser, shop, { expected: [/409/] });
    const lamp = await product(boss, { stock: 1 });
    const pay = await to_checkout(ada, lamp);
    await boss.patch(`/products/${lamp.sku}`, { stock: 0 });
    await pay.click();
    await ada.page.getByText('Not enough left').waitFor();
    await leave(ada);
});

test('a micro front end that cannot be had leaves the rest usable', options, async () => {
    const ada = await visitor(browser, shop, { expected: [FAILED_LOAD, /Failed to fetch|RUNTIME/, /dynamically imported/] });
    await ada.context.route('**/assets/orders/entry-*', (route) => route.abort());
    await ada.page.goto('/');
    await ada.page.getByText('The shop can’t be shown right now').waitFor();
    await ada.page.getByRole('link', { name: 'Sign in' }).click();
    await ada.page.getByRole('heading', { name: 'Welcome back' }).waitFor();
    await ada.page.goBack();
    await ada.page.getByText('The shop can’t be shown right now').waitFor();
    await ada.context.unroute('**/assets/orders/entry-*');
    await ada.page.getByRole('heading', { name: 'The shop' }).waitFor();
    await leave(ada);
});

/** From now on the micro front end is one that was deployed elsewhere, and its old files are gone. */
async function redeploy(context, name) {
    const [old, fresh] = [`/assets/${name}/`, `/assets/${name}-anew/`];
    await context.route(`**${fresh}**`, async (route) => {
        route.fulfill({ response: await route.fetch({ url: route.request().url().replace(fresh, old) }) });
    });
    await context.route(`**${old}**`, (route) => route.fulfill({ status: 404 }));
    await context.route('**/manifest.json', async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: (await response.text()).replace(old, fresh) });
    });
}

/** The shell's file with the account menu. */
function menu_file() {
    const folder = path.join(web_folder, 'assets/shell');
    const found = fs.readdirSync(folder).filter((file) => file.endsWith('.js') && fs.readFileSync(path.join(folder, file), 'utf8').includes('API reference'));
    assert.equal(found.length, 1, `one file of ${folder} has the account menu`);
    return found[0];
}

test('files of a deployment that is gone: the page takes the new ones and is not loaded anew; the account stays within reach', options, async () => {
    const desk = await visitor(browser, shop, { expected: [FAILED_LOAD, /dynamically imported|preload/] });
    await desk.context.route(`**/${menu_file()}`, (route) => route.fulfill({ status: 404 }));
    await sign_in(desk, boss.email, boss.password);
    const account = desk.page.getByRole('link', { name: /^Account of/ });
    await account.waitFor();
    await desk.page.evaluate(() => { globalThis.same_page = true; });
    await redeploy(desk.context, 'authentication');
    await desk.page.getByRole('link', { name: 'Users' }).click();
    await desk.page.getByRole('main').getByText(boss.email).first().waitFor();
    await account.click();
    await desk.page.getByText('This device').waitFor();
    assert.equal(await desk.page.evaluate(() => globalThis.same_page), true, 'the page was loaded anew');
    await leave(desk);
});

const no_own_system = missing || (!functions_run && 'purser-function-host is not built') || (process.env.PURSER_BASE_URL && 'settings of its own');

test('what could not be handled is read and sent again', { skip: no_own_system }, async () => {
    const other = await web_system({ PURSER_RETRY_BASE: '10ms', PURSER_RETRY_LIMIT: '3' });
    try {
        const chief = await admin(other);
        const ada = await register(other);
        const { sku } = await product(chief);
        const name = await deploy(chief, 'function handler() { throw new Error("out of paper"); }', { triggers: ['purser.order.paid'] });
        const { id } = await ada.paid_order([{ sku, quantity: 1 }]);
        await until('there is a dead letter', async () => (await chief.get('/operations/dead-letters')).body.data.length === 1);
        const source = 'const handler = (data) => ({ title: "Receipt", body: data.order_id });';
        assert.equal((await chief.put(`/functions/${name}`, { source })).status, 200);
        const desk = await member(browser, other, chief);
        await desk.page.goto('/operations/dead-letters');
        await desk.page.getByText(/out of paper/).first().waitFor();
        await desk.page.getByRole('button', { name: 'Show the message' }).click();
        await desk.page.getByText(id).first().waitFor();
        await desk.page.getByRole('button', { name: 'Send again' }).click();
        await desk.page.getByText('Nothing is stuck').waitFor();
        assert.equal((await notified(ada, `function.${name}`))[0].body, id);
        await leave(desk);
    } finally {
        await other.stop();
    }
});
