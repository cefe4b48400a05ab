// Every page and every state of it as pictures, at the desk and on the phone, light and dark, in build/screenshots; nothing serious for axe in any, nothing that
// jumps into place, nothing wider than the window.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert_accessible, assert_fits, DESKTOP, PHONE, screenshot } from '../support/browser.mjs';
import { deploy } from '../support/functions.mjs';
import { PASSWORD, register } from '../support/shop.mjs';
import { furnish, in_each_scheme, watch_shifts } from '../support/web-pages.mjs';
import { leave, sign_in, visitor } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';
import { states_of } from './states.mjs';

const LARGEST_SHIFT = 0.1;
const SIZES = { desktop: DESKTOP, phone: PHONE };
const EXPECTED = [/Failed to load resource|ERR_|WebSocket|Failed to fetch|RUNTIME|dynamically imported/];
let browser, shop, states;
const people = { nobody: null };

const options = web_suite(async (suite) => {
    ({ browser, shop } = suite);
    const { boss } = suite;
    const world = { ...suite, ...await furnish(suite) };
    const items = [{ sku: world.first.sku, quantity: 2 }, { sku: world.products[4].sku, quantity: 1 }];
    const ada = await register(shop), newcomer = await register(shop);
    const step = async (id, name) => assert.equal((await boss.post(`/orders/${id}/${name}`)).status, 200);
    const orders = {};
    for (const name of ['paid', 'cancelled', 'shipped', 'delivered', 'refunded']) orders[name] = await ada.paid_order(items);
    orders.failed = await ada.order_in((await ada.order(items, { payment_method: 'pm_card_chargeDeclined' })).id, 'payment_failed');
    await ada.post(`/orders/${orders.cancelled.id}/cancel`);
    for (const name of ['shipped', 'delivered']) await step(orders[name].id, 'ship');
    await step(orders.delivered.id, 'deliver');
    const payment = (await boss.get(`/payments?order_id=${orders.refunded.id}`)).body.data[0];
    assert.equal((await boss.post(`/payments/${payment.id}/refunds`, { amount: 990 })).status, 201);
    await deploy(boss, 'function handler(event) {\n    console.log("hello", event.name);\n    return { greeting: "Hello " + event.name };\n}', { name: 'say-hello' });
    states = states_of({ ...world, orders });
    Object.assign(people, { customer: ada, newcomer, administrator: { email: boss.email, password: boss.password ?? PASSWORD } });
});

async function take(one, state) {
    const [name, path, { route, ready, act, moves = false }] = state;
    const { page, context, device } = one;
    try {
        for (const [pattern, answer] of Object.entries(route ?? {})) await context.route(pattern, answer);
        await page.goto(path);
        await ready(page);
        const shifts = await page.evaluate(() => globalThis.shifts);
        await act?.(page, device);
        await in_each_scheme(page, async (scheme) => {
            await assert_accessible(page, `${name} ${device} ${scheme}`);
            await screenshot(page, `${name}-${device}-${scheme}`);
        });
        await assert_fits(page, `${name} ${device}`);
        assert.ok(moves || shifts < LARGEST_SHIFT, `${name} ${device} jumps: ${shifts}`);
    } finally {
        await context.setOffline(false);
        await context.unrouteAll({ behavior: 'ignoreErrors' });
    }
}

for (const device of Object.keys(SIZES)) {
    for (const who of ['nobody', 'newcomer', 'customer', 'administrator']) {
        test(`what ${who} sees, ${device}`, options, async (t) => {
            const one = { ...await visitor(browser, shop, { viewport: SIZES[device], expected: EXPECTED }), device };
            await one.context.addInitScript(watch_shifts);
            if (people[who]) await sign_in(one, people[who].email, people[who].password);
            const complaints = [];
            for (const state of states[who]) await take(one, state).catch((error) => complaints.push(`${state[0]}: ${error.message}`));
            t.diagnostic(`${states[who].length} states`);
            await leave(one);
            assert.deepEqual(complaints, []);
        });
    }
}
