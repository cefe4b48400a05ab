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

/** Readiness of an order service, at its admin address: `{status, missing}`. */
async function readiness(name = 'orders-1') {
    const { body } = await request(admins()[name], 'GET', '/health/ready', { unchecked: true, from: next_address(), seconds: 5 });
    return body;
}

/** Whether the order services miss the queue; only one that has something to send knows of that. */
async function queue_is_missed() {
    const both = await Promise.all(['orders-1', 'orders-2'].map(readiness));
    return both.some(({ status, missing }) => status === 'degraded' && missing.includes('queue'));
}

async function orders_are_taken() {
    const written = prober.log.length;
    await until('orders are taken', async () => {
        await prober.buy();
        return prober.log.length >= written + 3;
    });
}

async function whole_and_ready(context, since) {
    context.diagnostic(`whole again ${await whole_again()} ms after ${since}`);
    await until('no order service misses anything', async () => {
        const both = await Promise.all(['orders-1', 'orders-2'].map(readiness));
        return both.every(({ status }) => status === 'ok');
    });
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
        await orders_are_taken();
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

test('rabbitmq has an alarm: writes go on, readiness misses the queue, and all drains when it is over', async (context) => {
    await engines('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '1MB');
    try {
        await until('the queue is missed', queue_is_missed);
        await orders_are_taken();
    } finally {
        await engines('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '512MB');
    }
    await whole_and_ready(context, 'the alarm');
});

test('a queue is full: writes go on, readiness misses the queue, and all drains when there is room', async (context) => {
    const limit = JSON.stringify({ 'max-length': 1, overflow: 'reject-publish' });
    await Promise.all(['payments-1', 'payments-2'].map((name) => cluster('kill', name)));
    await engines('rabbitmqctl', 'set_policy', 'full', '^payment.request$', limit, '--apply-to', 'queues');
    try {
        await until('the queue is missed', queue_is_missed);
        await orders_are_taken();
    } finally {
        for (const name of ['payments-1', 'payments-2']) await cluster('up', name);
    }
    // It stays as small, and what waits passes through it piece by piece.
    context.diagnostic(`an order is paid ${await whole_again()} ms after payments were started`);
    await engines('rabbitmqctl', 'clear_policy', 'full');
    await whole_and_ready(context, 'the limit was taken away');
});

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
