// What belongs to somebody else is not there, and what is not the client's to say is refused.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { system } from '../support/system.mjs';
import { PASSWORD, Person, admin, new_email, new_key, product, register } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';

let shop;
let boss;
let ada;
let eve;
let order;
let notification;
before(async () => {
    shop = await system();
    boss = await admin(shop);
    [ada, eve] = [await register(shop), await register(shop)];
    const { sku } = await product(boss);
    order = await ada.paid_order([{ sku, quantity: 1 }]);
    notification = await until('she has been told', async () => (await ada.get('/notifications?after=0')).body.data[0]);
});
after(() => shop.stop());

const NOBODY = '01932f4e-7b1c-7d2a-9c55-3f1f6a0b7c11';

test("somebody else's things are 404 on every verb, like things that are not there", async () => {
    const sid = JSON.parse(Buffer.from(ada.token.split('.')[1], 'base64url').toString()).sid;
    const mine = { order: order.id, payment: order.payment.id, notification: notification.id, session: sid };
    const none = { order: NOBODY, payment: NOBODY, notification: NOBODY, session: NOBODY };
    const strange = { order: 'x', payment: 'x', notification: 'x', session: 'x' };
    const tries = ({ order: o, payment: p, notification: n, session: s }) => [
        ['GET', `/orders/${o}`], ['POST', `/orders/${o}/cancel`], ['POST', `/orders/${o}/payments`, { payment_method: 'pm_card_visa' }],
        ['GET', `/payments/${p}`], ['POST', `/notifications/${n}/read`], ['DELETE', `/auth/sessions/${s}`],
    ];
    for (const things of [mine, none, strange]) {
        for (const [method, path, json] of tries(things)) {
            const answer = await eve.send(method, path, { json, key: path.startsWith('/orders') && method === 'POST' ? new_key() : undefined });
            assert.equal(answer.status, 404, `${method} ${path} → ${answer.status} ${answer.text}`);
        }
    }
    assert.equal((await ada.get(`/orders/${order.id}`)).body.status, 'paid');
    assert.equal((await ada.get('/notifications/unread-count')).body.count > 0, true);
});

test('lists show what is one\'s own', async () => {
    for (const path of ['/orders', '/payments', `/payments?order_id=${order.id}`]) {
        const answer = await eve.get(path);
        assert.equal(answer.status, 200, path);
        assert.deepEqual(answer.body.data, [], path);
    }
    assert.ok((await eve.get('/notifications?after=0')).body.data.every((n) => n.id !== notification.id));
    assert.ok((await boss.get('/orders')).body.data.some((o) => o.id === order.id));
});

test('what only administrators may do is 403 for others and 401 for nobody', async () => {
    for (const [method, path, json] of [
        ['POST', `/orders/${order.id}/ship`], ['POST', `/orders/${order.id}/deliver`], ['POST', `/payments/${order.payment.id}/refunds`, {}],
        ['POST', '/products', {}], ['PATCH', '/products/x', {}], ['GET', '/users'], ['GET', `/users/${ada.id}`],
        ['PATCH', `/users/${ada.id}`, { role: 'admin' }], ['GET', '/operations/status'], ['GET', '/operations/ledger'], ['GET', '/operations/dead-letters'],
    ]) {
        const key = method === 'POST' ? new_key() : undefined;
        assert.equal((await ada.send(method, path, { json, key })).status, 403, `${method} ${path}`);
        assert.equal((await ada.send(method, path, { json, key, token: null })).status, 401, `${method} ${path}`);
    }
});

test('fields that are not the client\'s to set are refused with their pointers', async () => {
    const { sku } = await product(boss);
    const item = { sku, quantity: 1 };
    const buying = { items: [item], payment_method: 'pm_card_visa' };
    for (const [method, path, json, pointer] of [
        ['POST', '/auth/register', { email: new_email(), password: PASSWORD, name: 'Ada', role: 'admin' }, '/role'],
        ['POST', '/auth/register', { email: new_email(), password: PASSWORD, name: 'Ada', id: NOBODY }, '/id'],
        ['POST', '/auth/login', { email: ada.email, password: PASSWORD, role: 'admin' }, '/role'],
        ['PATCH', '/users/me', { role: 'admin' }, '/role'],
        ['POST', '/orders', { ...buying, total: 1 }, '/total'],
        ['POST', '/orders', { ...buying, user_id: eve.id }, '/user_id'],
        ['POST', '/orders', { ...buying, status: 'paid' }, '/status'],
        ['POST', '/orders', { ...buying, items: [{ ...item, unit_price: 1 }] }, '/items/0/unit_price'],
    ]) {
        const answer = await ada.send(method, path, { json, key: path === '/orders' ? new_key() : undefined });
        assert.equal(answer.status, 422, `${path} ${pointer} → ${answer.text}`);
        assert.deepEqual(answer.body.errors.map((e) => e.pointer), [pointer], path);
    }
});

test('identity is the token\'s, whatever the headers say', async () => {
    const headers = { 'x-user-id': ada.id, 'x-user-role': 'admin', 'x-session-id': NOBODY };
    assert.equal((await eve.get('/users/me', { headers })).body.id, eve.id);
    assert.equal((await eve.get('/users', { headers })).status, 403);
    assert.equal((await new Person(shop).get('/users/me', { headers })).status, 401);
    assert.equal((await eve.get(`/orders/${order.id}`, { headers })).status, 404);
});
