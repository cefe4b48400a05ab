// A broker is away for a long time while orders go on being taken: all of it waits in the outboxes, as each instance says at its own
// /metrics, and is delivered in order when the broker is back: every order paid, every notification there, each once.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { next_address, request } from '../support/client.mjs';
import { admins, engines } from '../support/engines.mjs';
import { outbox } from '../support/metrics.mjs';
import { STOCK, check_everything } from '../support/oracle.mjs';
import { admin, new_key, product, register } from '../support/shop.mjs';
import { sandbox_outside } from '../support/sandbox.mjs';
import { system } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const BUYERS = 100;
const EACH = 20; // orders of a buyer while a broker is away
const AT_ONCE = 8; // people who sign up
const SENDERS = ['users', 'orders', 'payments'];

let shop, sandbox, boss, sku;
const buyers = [];

before(async () => {
    shop = await system();
    sandbox = await sandbox_outside();
    boss = await admin(shop);
    ({ sku } = await product(boss, { unit_price: 100, stock: STOCK }));
    while (buyers.length < BUYERS) {
        const people = await Promise.all(Array.from({ length: AT_ONCE }, () => register(shop)));
        buyers.push(...people.map((person) => ({ person, log: [] })));
    }
});

/** Every instance of every service that sends says how many rows wait: `{'orders-1': 0, …}`. */
async function backlogs() {
    const all = Object.entries(admins()).map(([name, base]) => ({ name, base, service: name.replace(/-\d+$/, '') }));
    const senders = all.filter(({ service }) => SENDERS.includes(service));
    return Object.fromEntries(await Promise.all(senders.map(async ({ name, base, service }) => [name, (await outbox(base, service)).rows])));
}

const nothing_waits = () => until('nothing waits in any outbox', async () => {
    const rows = await backlogs();
    assert.ok(Object.values(rows).every((n) => n === 0), JSON.stringify(rows));
    return true;
}, { seconds: 240, every_ms: 250 });

async function missing() {
    const { body } = await request(admins()['orders-1'], 'GET', '/health/ready', { unchecked: true, from: next_address(), seconds: 5 });
    return body.status === 'degraded' ? body.missing : [];
}

/** One order after the other, each acknowledged. */
async function order_some(buyer) {
    for (let i = 0; i < EACH; i += 1) {
        const order = { items: [{ sku, quantity: 1 }], payment_method: 'pm_card_visa' };
        const { status, body, text } = await buyer.person.post('/orders', order, { key: new_key() });
        assert.equal(status, 201, text);
        buyer.log.push({ ...order, quantity: 1, id: body.id, total: body.total, cancelled: false });
    }
}

/** A user's orders were placed one after the other, and so he is told of them. */
function check_order_of_news() {
    for (const { log, history } of buyers) {
        const created = history.filter((n) => n.type === 'order.created').map((n) => n.data.order_id);
        assert.deepEqual(created, log.map((entry) => entry.id), 'told of orders in another order');
        const told = history.map((n) => `${n.type} ${n.data?.order_id}`);
        for (const { id } of log) assert.ok(told.indexOf(`order.created ${id}`) < told.indexOf(`order.paid ${id}`), 'paid before it was made');
    }
}

for (const [engine, name] of [['rabbitmq', 'queue'], ['kafka', 'stream']]) {
    test(`${engine} is away while ${BUYERS * EACH} orders are taken: all are delivered in order when it is back`, async (context) => {
        await nothing_waits();
        await engines('kill', engine);
        await until(`readiness misses ${name}`, async () => (await missing()).includes(name));
        await Promise.all(buyers.map(order_some));
        let rows; // counted when it is asked for, and as it was where that took too long
        await until('both senders tell how many rows wait', async () => {
            rows = await backlogs();
            return ['orders-1', 'orders-2'].every((sender) => rows[sender] >= BUYERS * EACH);
        });
        await engines('start', engine);
        const began = Date.now();
        await nothing_waits();
        context.diagnostic(`${JSON.stringify(rows)}: none waits ${Date.now() - began} ms after ${engine} answered`);
        await check_everything({ buyers, skus: [sku], boss, sandbox });
        check_order_of_news();
    });
}
