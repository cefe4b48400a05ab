// Bad days of a cluster, under a stream of orders: each engine and each process killed or frozen in turn. Nothing that was
// acknowledged is lost, nothing is charged twice, and everything comes back by itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { next_address, request } from '../support/client.mjs';
import { admins, cluster, engines } from '../support/engines.mjs';
import { Buyer, Listener, STOCK, check_everything } from '../support/oracle.mjs';
import { admin, new_key, product, register } from '../support/shop.mjs';
import { sandbox_outside } from '../support/sandbox.mjs';
import { system } from '../support/system.mjs';
import { sleep, until } from '../support/wait.mjs';

const BUYERS = 4;

let shop, sandbox, boss, skus, buyers, listeners, prober;

before(async () => {
    shop = await system();
    sandbox = await sandbox_outside();
    boss = await admin(shop);
    skus = [];
    for (let i = 0; i < 4; i += 1) skus.push((await product(boss, { unit_price: 100 + i, stock: STOCK })).sku);
    buyers = [];
    for (let i = 0; i < BUYERS; i += 1) buyers.push(new Buyer(await register(shop), skus, 100 + i));
    prober = new Buyer(await register(shop), skus, 7);
    listeners = buyers.map((buyer) => new Listener(shop, buyer.person));
    for (const one of [...buyers, ...listeners]) one.start();
});

/** Readiness of the first order service, at its admin address: `{status, missing}`. */
async function readiness() {
    const { body } = await request(admins()['orders-1'], 'GET', '/health/ready', { unchecked: true, from: next_address(), seconds: 5 });
    return body;
}

/** An order is placed and paid: everything is back. Gives the milliseconds that took. */
async function whole_again() {
    const began = Date.now();
    await until('an order is placed and paid', async () => {
        const key = new_key();
        const order = { items: [{ sku: skus[0], quantity: 1 }], payment_method: 'pm_card_visa' };
        const answer = await prober.person.post('/orders', order, { key, seconds: 5 });
        if (answer.status !== 201) return false;
        prober.log.push({ ...order, quantity: 1, id: answer.body.id, total: answer.body.total, cancelled: false });
        return true;
    }, { seconds: 60 });
    const { id } = prober.log.at(-1);
    await until(`order ${id} is paid`, async () => {
        const { status, body } = await prober.person.get(`/orders/${id}`, { seconds: 5 });
        return status === 200 && body.status === 'paid';
    }, { seconds: 60 });
    return Date.now() - began;
}

const DEGRADED = { redis: 'cache', rabbitmq: 'queue', kafka: 'stream' };

for (const engine of ['redis', 'rabbitmq', 'kafka']) {
    test(`${engine} is killed: writes go on, readiness names it, and all comes back`, async (context) => {
        await engines('kill', engine);
        await until(`readiness misses ${DEGRADED[engine]}`, async () => {
            const { status, missing } = await readiness();
            return status === 'degraded' && missing.includes(DEGRADED[engine]);
        });
        const written = prober.log.length;
        await until('orders are taken', async () => {
            await prober.buy();
            return prober.log.length >= written + 3;
        });
        await engines('start', engine);
        context.diagnostic(`whole again ${await whole_again()} ms after ${engine} answered`);
    });
}

test('postgres is killed: a prompt 503 with Retry-After, and all comes back', async (context) => {
    await engines('kill', 'postgres');
    const answer = await until('an order is refused', async () => {
        const began = Date.now();
        const got = await prober.person.post('/orders', { items: [{ sku: skus[0], quantity: 1 }], payment_method: 'pm_card_visa' }, { key: new_key(), seconds: 20 });
        return got.status === 503 && Date.now() - began < 5000 && got;
    });
    assert.ok(answer.headers['retry-after'], answer.text);
    await engines('start', 'postgres');
    context.diagnostic(`whole again ${await whole_again()} ms after PostgreSQL answered`);
});

for (const engine of ['redis', 'rabbitmq', 'kafka', 'postgres']) {
    test(`${engine} falls silent without closing anything, and comes back`, async (context) => {
        await engines('pause', engine);
        try {
            await until('it is noticed', async () => {
                const { status } = await readiness();
                return status !== 'ok';
            }, { seconds: 60 });
            if (engine === 'postgres') await until('orders are refused', async () => {
                const { status, headers } = await prober.person.get('/orders', { seconds: 20 });
                return status === 503 && headers['retry-after'];
            });
        } finally {
            await engines('resume', engine);
        }
        context.diagnostic(`whole again ${await whole_again()} ms after ${engine} went on`);
    });
}

for (const name of ['orders-1', 'payments-1', 'users-2', 'notifications-1', 'gateway-2', 'functions-1']) {
    test(`${name} is killed, and comes back`, async (context) => {
        await cluster('kill', name);
        await sleep(200); // some requests find it gone
        await whole_again();
        await cluster('up', name);
        context.diagnostic(`whole ${await whole_again()} ms after ${name} was started`);
    });
}

test('in the end nothing is lost and nothing happened twice', async (context) => {
    const orders = await check_everything({ buyers: [...buyers, prober], listeners, skus, boss, sandbox, silent: true });
    context.diagnostic(`${orders} orders`);
});

after(async () => {
    for (const one of [...(buyers ?? []), ...(listeners ?? [])]) one.stopped = true;
});
