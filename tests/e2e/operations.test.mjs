// What those who run the system see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, product, register } from '../support/shop.mjs';
import { next_address, request } from '../support/client.mjs';
import { outbox } from '../support/metrics.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
before(async () => {
    shop = await system();
    boss = await admin(shop);
});
after(() => shop?.stop());

test('only admins see operations', async () => {
    const ada = await register(shop);
    for (const path of ['/operations/status', '/operations/ledger', '/operations/dead-letters']) {
        assert.equal((await new Person(shop).get(path)).status, 401, path);
        assert.equal((await ada.get(path)).status, 403, path);
        assert.equal((await boss.get(path)).status, 200, path);
    }
});

/** Looks at the status until one look sees all that `check` asks for: a service that is too busy to answer in time is left out of an answer. */
function status_shows(what, check, before_look = async () => {}) {
    return until(what, async () => {
        await before_look();
        const { body } = await boss.get('/operations/status');
        check(body);
        return true;
    });
}

const named = (list, name) => {
    const found = list.find((one) => one.name === name);
    assert.ok(found, `${name} is not among ${list.map((one) => one.name)}`);
    return found;
};

test('the status names every service and engine', () => status_shows('all are named', (body) => {
    for (const name of ['gateway', 'users', 'orders', 'payments', 'notifications']) named(body.services, name);
    assert.deepEqual([...new Set(body.engines.map((e) => e.port))].sort(), ['cache', 'database', 'queue', 'stream']);
    for (const name of ['payment.request', 'order.payment.processed']) named(body.queues, name);
    for (const name of ['user-events', 'order-events', 'payment-events']) named(body.topics, name);
    for (const topic of body.topics) for (const reader of topic.consumers) assert.ok(reader.lag >= 0, topic.name);
}));

test('the status tells rates, failures and times of what has just been done', async () => {
    const { sku } = await product(boss);
    const shows = (body) => {
        for (const name of ['payment.request', 'order.payment.processed']) {
            const queue = named(body.queues, name);
            assert.ok(queue.published_per_second > 0 && queue.handled_per_second > 0, name);
        }
        for (const name of ['gateway', 'users', 'orders', 'payments']) {
            const service = named(body.services, name);
            assert.ok(name === 'payments' || service.requests_per_second > 0, `${name} answers`);
            assert.ok(service.errors_per_second >= 0 && (service.p99_ms === undefined || service.p99_ms > 0), name);
        }
        const group = body.routes.find((r) => r.prefix === '/api/v1/orders');
        assert.ok(group.requests_per_second > 0 && group.p99_ms > 0, JSON.stringify(group));
        assert.match(String(group.p99_ms), /^\d+(\.\d{1,3})?$/);
        for (const name of ['user-events', 'order-events']) assert.ok(named(body.topics, name).published_per_second > 0, name);
        assert.ok(body.rates.requests_per_second > 0);
    };
    // Rates are of the last seconds, so each look has its own doings before it.
    await status_shows('what has been done', shows, async () => {
        const ada = await register(shop);
        await ada.paid_order([{ sku, quantity: 1 }]);
    });
});

test('the ledger of a sale, a refund and a failure balances', async () => {
    const { sku } = await product(boss, { unit_price: 300 });
    const ada = await register(shop);
    const order = await ada.paid_order([{ sku, quantity: 2 }]);
    const failed = await ada.order([{ sku, quantity: 1 }], { payment_method: 'pm_card_chargeDeclined' });
    await ada.order_in(failed.id, 'payment_failed');
    const [payment] = (await ada.get(`/payments?order_id=${order.id}`)).body.data;
    await boss.post(`/payments/${payment.id}/refunds`, { amount: 100 });
    const { body } = await boss.get('/operations/ledger');
    assert.equal(body.balanced, true);
    assert.deepEqual(body.sums.map((s) => s.sum), body.sums.map(() => 0));
    const total = body.accounts.reduce((sum, a) => sum + a.balance, 0);
    assert.equal(total, 0);
});

test('dead letters: an empty list, and 404 for what is not there', async () => {
    assert.deepEqual((await boss.get('/operations/dead-letters')).body, { data: [], next_cursor: null });
    const forged = await boss.get('/operations/dead-letters?cursor=users%3Dx%20HTTP%2F1.1%0D%0AX-Forged:%20yes');
    assert.equal(forged.status, 422, 'a cursor goes on to the services and must hold nothing that ends a line');
    for (const id of ['orders-01932f50-2222-7bbb-8c8c-0a1b2c3d4e5f', 'nonsense']) {
        assert.equal((await boss.post(`/operations/dead-letters/${id}/retry`)).status, 404, id);
        assert.equal((await boss.delete(`/operations/dead-letters/${id}`)).status, 404, id);
    }
});

test('metrics and health are on the admin address', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const metrics = await request(shop.admin_base, 'GET', '/metrics', { unchecked: true });
    assert.equal(metrics.status, 200);
    assert.match(metrics.headers['content-type'], /^text\/plain/);
    assert.match(metrics.text, /^# TYPE purser_\w+ (counter|gauge|histogram)$/m);
    assert.equal((await request(shop.admin_base, 'GET', '/health/ready', { unchecked: true })).status, 200);
});

test('outboxes say how much waits in them', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const sku = (await product(boss)).sku;
    await (await register(shop)).paid_order([{ sku, quantity: 1 }]);
    for (const name of ['users', 'orders', 'payments']) {
        await until(`nothing waits in the outbox of ${name}`, async () => {
            const { rows, oldest_ms } = await outbox(shop.admin_base, name);
            assert.ok(rows >= 0 && oldest_ms >= 0, `${rows} rows, ${oldest_ms} ms`);
            return rows === 0 && oldest_ms === 0;
        });
    }
});

test('a request is one line in the log, with its id and without secrets', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const ada = await register(shop);
    const id = `log-${next_address()}`;
    await ada.get('/users/me', { headers: { 'x-request-id': id } });
    const line = await until('the request is in the log', () => shop.process.log().find((l) => JSON.stringify(l).includes(id)));
    assert.ok(line);
    const text = shop.process.lines.join('\n');
    for (const secret of [ada.token, ada.refresh_token, ada.password]) assert.equal(text.includes(secret), false);
});
