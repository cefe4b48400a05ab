// Bad days of a cluster, under a stream of orders: each engine and each process killed or frozen in turn. Nothing that was
// acknowledged is lost, nothing is charged twice, and everything comes back by itself.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cluster, engines } from '../support/engines.mjs';
import { OrderStream, is_missed, readiness } from '../support/order-stream.mjs';
import { new_key } from '../support/shop.mjs';
import { sleep, until } from '../support/wait.mjs';

const stream = new OrderStream();

before(() => stream.start());
after(() => stream.stop());

const DEGRADED = { redis: 'cache', rabbitmq: 'queue', kafka: 'stream' };

for (const engine of ['redis', 'rabbitmq', 'kafka']) {
    test(`${engine} is killed: writes go on, readiness names it, and all comes back`, async (context) => {
        await engines('kill', engine);
        await until(`readiness misses ${DEGRADED[engine]}`, () => is_missed(DEGRADED[engine]));
        await stream.orders_are_taken();
        await engines('start', engine);
        context.diagnostic(`whole again ${await stream.whole_again()} ms after ${engine} answered`);
    });
}

test('postgres is killed: a prompt 503 with Retry-After, and all comes back', async (context) => {
    await engines('kill', 'postgres');
    const answer = await until('an order is refused', async () => {
        const began = Date.now();
        const order = { items: [{ sku: stream.skus[0], quantity: 1 }], payment_method: 'pm_card_visa' };
        const got = await stream.prober.person.post('/orders', order, { key: new_key(), seconds: 20 });
        return got.status === 503 && Date.now() - began < 5000 && got;
    });
    assert.ok(answer.headers['retry-after'], answer.text);
    await engines('start', 'postgres');
    context.diagnostic(`whole again ${await stream.whole_again()} ms after PostgreSQL answered`);
});

for (const engine of ['redis', 'rabbitmq', 'kafka', 'postgres']) {
    test(`${engine} falls silent without closing anything, and comes back`, async (context) => {
        await engines('pause', engine);
        try {
            await until('it is noticed', async () => {
                const { status } = await readiness('orders-1');
                return status !== 'ok';
            });
            if (engine === 'postgres') await until('orders are refused', async () => {
                const { status, headers } = await stream.prober.person.get('/orders', { seconds: 20 });
                return status === 503 && headers['retry-after'];
            });
        } finally {
            await engines('resume', engine);
        }
        context.diagnostic(`whole again ${await stream.whole_again()} ms after ${engine} went on`);
    });
}

test('rabbitmq has an alarm: writes go on, readiness misses the queue, and all drains when it is over', async (context) => {
    await engines('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '1MB');
    try {
        await until('the queue is missed', () => is_missed('queue'));
        await stream.orders_are_taken();
    } finally {
        await engines('rabbitmqctl', 'set_vm_memory_high_watermark', 'absolute', '512MB');
    }
    context.diagnostic(`whole again ${await stream.whole_and_ready()} ms after the alarm`);
});

test('a queue is full: writes go on, readiness misses the queue, and all drains when there is room', async (context) => {
    const limit = JSON.stringify({ 'max-length': 1, overflow: 'reject-publish' });
    await Promise.all(['payments-1', 'payments-2'].map((name) => cluster('kill', name)));
    await engines('rabbitmqctl', 'set_policy', 'full', '^payment.request$', limit, '--apply-to', 'queues');
    try {
        await until('the queue is missed', () => is_missed('queue'));
        await stream.orders_are_taken();
    } finally {
        for (const name of ['payments-1', 'payments-2']) await cluster('up', name);
    }
    // It stays as small, and what waits passes through it piece by piece.
    context.diagnostic(`an order is paid ${await stream.whole_again()} ms after payments were started`);
    await engines('rabbitmqctl', 'clear_policy', 'full');
    context.diagnostic(`whole again ${await stream.whole_and_ready()} ms after the limit was taken away`);
});

for (const name of ['orders-1', 'payments-1', 'users-2', 'notifications-1', 'gateway-2', 'functions-1']) {
    test(`${name} is killed, and comes back`, async (context) => {
        await cluster('kill', name);
        await sleep(200); // some requests find it gone
        await stream.whole_again();
        await cluster('up', name);
        context.diagnostic(`whole ${await stream.whole_again()} ms after ${name} was started`);
    });
}

test('in the end nothing is lost and nothing happened twice', async (context) => {
    context.diagnostic(`${await stream.check()} orders`);
});
