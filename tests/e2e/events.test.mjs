// Every event that a system sent is what its schema says: all types of the topics are seen, and all of the queues, where each waits for
// the service that works on it; and an event belongs to the trace of the request that led to it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { System } from '../support/system.mjs';
import { PASSWORD, admin, new_email, product, register } from '../support/shop.mjs';
import { asyncapi, check_event } from '../support/contract.mjs';
import { deploy, functions_run, notified } from '../support/functions.mjs';
import { until } from '../support/wait.mjs';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const TOPICS = ['user-events', 'order-events', 'payment-events'];

/** The rows of an embedded engine's file, which may be read while it is written. */
function read(shop, file, sql) {
    const text = execFileSync('sqlite3', ['-readonly', '-json', path.join(shop.data, file), sql], { maxBuffer: 1 << 26, encoding: 'utf8' });
    return JSON.parse(text || '[]');
}

/** Everything on the stream. */
function records(shop) {
    return read(shop, 'stream.db', 'SELECT key, value FROM records ORDER BY id')
        .map(({ key, value }) => ({ key, text: value, event: JSON.parse(value) }));
}

/** What the queues hold now. */
function waiting(shop) {
    return read(shop, 'queue.db', 'SELECT body FROM messages').map(({ body }) => JSON.parse(body));
}

/** Waits until the queues hold events of these types and no others, and holds them against their schemas. */
async function wait_for(shop, ...types) {
    const events = await until(`${types.join(' and ')} wait`, () => {
        const all = waiting(shop);
        return JSON.stringify([...new Set(all.map(({ type }) => type))].sort()) === JSON.stringify(types.map((type) => `purser.${type}`).sort()) && all;
    });
    events.forEach(check_event);
    return events;
}

async function live(shop) {
    const boss = await admin(shop);
    const { sku } = await product(boss, { unit_price: 700 });
    const ada = await register(shop, { name: 'Ada Secretname' });
    const shipped = await ada.paid_order([{ sku, quantity: 1 }]);
    await boss.post(`/orders/${shipped.id}/ship`);
    await boss.post(`/orders/${shipped.id}/deliver`);
    const cancelled = await ada.paid_order([{ sku, quantity: 2 }]);
    await ada.post(`/orders/${cancelled.id}/cancel`);
    const failed = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(failed.id, 'payment_failed');
    await ada.patch('/users/me', { name: 'Ada Othername', email: new_email() });
    await ada.put('/auth/password', { current_password: PASSWORD, new_password: 'another good password' });
    const eve = await register(shop);
    await eve.delete('/users/me');
    await eve.login().catch(() => null);
    await boss.login();
}

test('events are what their schemas say', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const shop = await new System().start();
    await live(shop);
    const wanted = TOPICS.flatMap((topic) => Object.keys(asyncapi.channels[topic].messages)).map((name) => asyncapi.components.messages[name].name);
    const seen = await until('every type of the topics is seen', () => {
        const all = records(shop);
        const types = new Set(all.map(({ event }) => event.type));
        return wanted.every((type) => types.has(type)) && all;
    }, { every_ms: 500 });
    for (const { key, text, event } of seen) {
        check_event(event);
        assert.equal(key, event.data.user_id, 'the key is the user');
        assert.equal(/@example\.com|Secretname|Othername/.test(text), false, `personal data in ${text}`);
    }
    const ids = seen.map(({ event }) => event.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const subject of new Set(seen.map(({ event }) => event.subject))) {
        const numbers = seen.filter(({ event }) => event.subject === subject && event.sequence).map(({ event }) => event.sequence);
        assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b), `order of ${subject}`);
    }
    await shop.stop();
});

test('what waits in a queue is what its schema says, until its service is there', { skip: Boolean(process.env.PURSER_BASE_URL) || !functions_run }, async () => {
    const elsewhere = 'http://127.0.0.1:9';
    const shop = new System({ settings: { PURSER_FUNCTIONS: 'on', PURSER_PAYMENTS_URL: elsewhere, PURSER_FUNCTIONS_URL: elsewhere } });
    const only = async (...services) => {
        await shop.process?.stop();
        shop.services = services;
        await shop.start({ at_admin: !services.includes('gateway') });
    };
    await only('gateway', 'users', 'orders', 'notifications');
    const { sku } = await product(await admin(shop));
    const ada = await register(shop);
    const order = await ada.order([{ sku, quantity: 1 }], { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` } });
    await wait_for(shop, 'user.created', 'order.placed', 'payment.requested');
    await only('payments', 'sandbox');
    await wait_for(shop, 'user.created', 'order.placed', 'payment.processed');
    await only('functions');
    const left = await wait_for(shop, 'notification.requested', 'payment.processed');
    assert.deepEqual(left.map(({ traceparent }) => traceparent.slice(3, 35)), [TRACE, TRACE]);

    shop.settings.PURSER_PAYMENTS_URL = shop.settings.PURSER_FUNCTIONS_URL = '';
    await only();
    await ada.order_in(order.id, 'paid');
    await notified(ada, 'function.format-order');
    const slow = await deploy(await admin(shop), 'const handler = () => new Promise((resolve) => setTimeout(resolve, 5000));', { triggers: ['purser.order.paid'] });
    const { status } = await (await ada.login()).post(`/functions/${slow}/invocations`, {}, { headers: { prefer: 'respond-async' } });
    assert.equal(status, 202);
    await wait_for(shop, 'function.invocation_requested');
    await ada.paid_order([{ sku, quantity: 1 }]);
    await until('the call for an event waits', () => waiting(shop).some((event) => event.data.trigger && !check_event(event)));
    await shop.stop();
});

test('a request and all that follows from it are one trace, in the log too', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const shop = await new System().start();
    const { sku } = await product(await admin(shop));
    const ada = await register(shop);
    const { id } = await ada.order([{ sku, quantity: 1 }], { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-request-id': 'one-order' } });
    await ada.order_in(id, 'paid');
    const about = await until('the order is on the topics', () => {
        const all = records(shop).map(({ event }) => event).filter(({ data }) => data.order_id === id);
        return all.length === 3 && all;
    });
    assert.deepEqual(about.map(({ type }) => type).sort(), ['purser.order.created', 'purser.order.paid', 'purser.payment.succeeded']);
    for (const { traceparent, type } of about) assert.match(traceparent, new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)[0-9a-f]{16}-01$`), type);
    const lines = shop.process.log().filter((line) => line.request_id === 'one-order');
    assert.deepEqual(lines.map((line) => [line.event, line.trace_id]), [['request', TRACE]]);
    await shop.stop();
});
