// The wall clock is set while the shop works: hours forward, hours back. What was acknowledged stays, nobody is charged twice, nobody is kept
// waiting by a limit or a pause that was counted on the other time, and orders do not end before their time.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { shop_and_sandbox } from '../support/sandbox.mjs';
import { admin, product, register, stock_of } from '../support/shop.mjs';
import { binary, temporary_folder } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const HOUR_MS = 3600 * 1000;
const clock_file = path.join(temporary_folder(), 'clock');
let shop, sandbox, boss, mug;

function set_clock(ahead_ms) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ahead_ms));
    const file = fs.openSync(clock_file, 'r+');
    fs.writeSync(file, bytes, 0, 8, 0);
    fs.closeSync(file);
}

before(async () => {
    fs.writeFileSync(clock_file, Buffer.alloc(8));
    ({ shop, sandbox } = await shop_and_sandbox({ settings: {
        LD_PRELOAD: path.join(path.dirname(binary), 'tests/faults/clock.so'), PURSER_CLOCK_FILE: clock_file,
        PURSER_PAYMENT_RECONCILE: '300ms', PURSER_PAYMENT_TIMEOUT: '500ms', PURSER_LOG_LEVEL: 'info',
    } }));
    await shop.start();
    boss = await admin(shop);
    mug = await product(boss, { stock: 1000 });
});

after(async () => {
    await shop?.stop();
    await sandbox?.process.stop();
});

const items = () => [{ sku: mug.sku, quantity: 1 }];

/** A new access token for the refresh token, as a browser asks for it after a 401. */
async function renew(person) {
    const answer = await person.post('/auth/refresh', { refresh_token: person.refresh_token }, { token: null });
    assert.equal(answer.status, 200, answer.text);
    person.take({ user: person.user, ...answer.body });
}

async function was_noticed(by_ms) {
    await until(`a line says that the clock was set by ${by_ms}`, () => shop.process.lines.some((line) => {
        if (!line.includes('the clock was set')) return false;
        return Math.abs(JSON.parse(line).by_ms - by_ms) < 10000;
    }));
}

/** Everything that people do still works, at once; one order goes by way of a provider that stays silent. */
async function shop_works(person) {
    const late = await person.order(items(), { payment_method: 'pm_sandbox_late' });
    const paid = await person.paid_order(items());
    await person.order_in(late.id, 'paid');
    const times = paid.history.map((step) => step.at);
    assert.deepEqual(times, [...times].sort(), 'no history runs backwards');
    return [late.id, paid.id];
}

test('hours forward and hours back', async () => {
    const ada = await register(shop), orders = [];
    const unpaid = await ada.order(items(), { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(unpaid.id, 'payment_failed');
    const waiting = await ada.order(items(), { payment_method: 'pm_sandbox_late' });
    orders.push(...await shop_works(ada));

    set_clock(HOUR_MS);
    await was_noticed(HOUR_MS);
    assert.equal((await ada.get('/users/me')).status, 401, 'a token of fifteen minutes is over');
    await renew(ada);
    await boss.login().then((again) => Object.assign(boss, { token: again.token }));
    orders.push(...await shop_works(ada), waiting.id);
    assert.equal((await ada.order_in(unpaid.id, 'payment_failed', 'cancelled')).status, 'payment_failed', 'it has not had its half hour');

    set_clock(-HOUR_MS);
    await was_noticed(-2 * HOUR_MS);
    assert.equal((await ada.get('/users/me')).status, 200, 'a token from a clock that was ahead');
    await renew(ada);
    orders.push(...await shop_works(ada));
    const bob = await register(shop);
    orders.push(...await shop_works(bob));

    set_clock(0);
    await was_noticed(HOUR_MS);
    await boss.login().then((again) => Object.assign(boss, { token: again.token }));
    await renew(ada);
    orders.push(...await shop_works(ada));

    const again = await ada.post(`/orders/${unpaid.id}/payments`, { payment_method: 'pm_card_visa' }, { key: 'pay-again' });
    assert.equal(again.status, 201, again.text);
    await ada.order_in(unpaid.id, 'paid');
    orders.push(unpaid.id);

    const charged = (await sandbox.charges()).filter((charge) => charge.status === 'succeeded');
    assert.equal(charged.length, orders.length, 'each order once');
    assert.equal(new Set(charged.map((charge) => charge.id)).size, orders.length);
    assert.equal(await stock_of(boss, mug.sku), 1000 - orders.length);
    const ledger = await boss.get('/operations/ledger');
    assert.equal(ledger.body.balanced, true, ledger.text);
});
