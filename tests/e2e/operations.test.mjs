// What those who run the system see.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { Person, admin, product, register } from '../support/shop.mjs';
import { next_address, request } from '../support/client.mjs';
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

test('the status names every service and engine', async () => {
    // A service that is too busy to answer in time is left out of that answer.
    const body = await until('all services have answered', async () => {
        const answer = (await boss.get('/operations/status')).body;
        return ['payment.request', 'order.payment.processed'].every((name) => answer.queues.some((q) => q.name === name)) && answer;
    });
    const names = body.services.map((s) => s.name).sort();
    for (const name of ['gateway', 'users', 'orders', 'payments', 'notifications']) assert.ok(names.includes(name), name);
    assert.deepEqual([...new Set(body.engines.map((e) => e.port))].sort(), ['cache', 'database', 'queue', 'stream']);
    for (const name of ['user-events', 'order-events', 'payment-events']) assert.ok(body.topics.some((t) => t.name === name), name);
});

test('the status tells rates, failures and times of what has just been done', async () => {
    const { sku } = await product(boss);
    const ada = await register(shop);
    await ada.paid_order([{ sku, quantity: 1 }]);
    const moving = (one) => one.published_per_second > 0 && one.handled_per_second > 0;
    const body = await until('both queues of payments have moved', async () => {
        const answer = (await boss.get('/operations/status')).body;
        return ['payment.request', 'order.payment.processed'].every((name) => moving(answer.queues.find((q) => q.name === name))) && answer;
    });
    for (const name of ['gateway', 'users', 'orders', 'payments']) {
        const service = body.services.find((s) => s.name === name);
        assert.ok(name === 'payments' || service.requests_per_second > 0, `${name} answers`);
        assert.ok(service.errors_per_second >= 0 && (service.p99_ms === undefined || service.p99_ms > 0), name);
    }
    const group = body.routes.find((r) => r.prefix === '/api/v1/orders');
    assert.ok(group.requests_per_second > 0 && group.p99_ms > 0, JSON.stringify(group));
    for (const name of ['user-events', 'order-events']) assert.ok(body.topics.find((t) => t.name === name).published_per_second > 0, name);
    for (const topic of body.topics) for (const reader of topic.consumers) assert.ok(reader.lag >= 0, topic.name);
    assert.ok(body.rates.requests_per_second > 0);
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

test('a request is one line in the log, with its id and without secrets', { skip: Boolean(process.env.PURSER_BASE_URL) }, async () => {
    const ada = await register(shop);
    const id = `log-${next_address()}`;
    await ada.get('/users/me', { headers: { 'x-request-id': id } });
    const line = await until('the request is in the log', () => shop.process.log().find((l) => JSON.stringify(l).includes(id)));
    assert.ok(line);
    const text = shop.process.lines.join('\n');
    for (const secret of [ada.token, ada.refresh_token, ada.password]) assert.equal(text.includes(secret), false);
});
