// A stream of orders on the cluster under test, beside which engines and processes have their bad days: buyers and listeners that go on
// whatever happens, and a prober that says when everything is back.

import { next_address, request } from './client.mjs';
import { admins } from './engines.mjs';
import { Buyer, Listener, STOCK, check_everything } from './oracle.mjs';
import { sandbox_outside } from './sandbox.mjs';
import { admin, new_key, product, register } from './shop.mjs';
import { system } from './system.mjs';
import { until } from './wait.mjs';

const BUYERS = 4;
const ORDER_SERVICES = ['orders-1', 'orders-2'];

export class OrderStream {
    async start() {
        this.shop = await system();
        this.sandbox = await sandbox_outside();
        this.boss = await admin(this.shop);
        this.skus = [];
        for (let i = 0; i < 4; i += 1) this.skus.push((await product(this.boss, { unit_price: 100 + i, stock: STOCK })).sku);
        this.buyers = [];
        for (let i = 0; i < BUYERS; i += 1) this.buyers.push(new Buyer(await register(this.shop), this.skus, 100 + i));
        this.prober = new Buyer(await register(this.shop), this.skus, 7);
        this.listeners = this.buyers.map((buyer) => new Listener(this.shop, buyer.person));
        for (const one of [...this.buyers, ...this.listeners]) one.start();
        return this;
    }

    stop() {
        for (const one of [...this.buyers, ...this.listeners]) one.stopped = true;
    }

    /** An order of the prober's, or null where it was not taken; the next call asks for the same one then. */
    async try_order() {
        const order = { items: [{ sku: this.skus[0], quantity: 1 }], payment_method: 'pm_card_visa' };
        this.key ??= new_key();
        const answer = await this.prober.person.post('/orders', order, { key: this.key, seconds: 5 });
        if (answer.status !== 201) return null;
        this.key = null;
        this.prober.log.push({ ...order, quantity: 1, id: answer.body.id, total: answer.body.total, cancelled: false });
        return answer.body.id;
    }

    /** Some more are taken. */
    async orders_are_taken() {
        const written = this.prober.log.length;
        await until('orders are taken', async () => {
            await this.prober.buy();
            return this.prober.log.length >= written + 3;
        });
    }

    /** An order is placed and paid: everything is back. Gives the milliseconds that took. */
    async whole_again() {
        const began = Date.now();
        const id = await until('an order is placed', () => this.try_order());
        await until(`order ${id} is paid`, async () => {
            const { status, body } = await this.prober.person.get(`/orders/${id}`, { seconds: 5 });
            return status === 200 && body.status === 'paid';
        });
        return Date.now() - began;
    }

    /** The same, and no order service misses anything. */
    async whole_and_ready() {
        const began = Date.now();
        await this.whole_again();
        await until('no order service misses anything', async () => {
            const all = await Promise.all(ORDER_SERVICES.map(readiness));
            return all.every(({ status }) => status === 'ok');
        });
        return Date.now() - began;
    }

    /** Every promise held against the logs; the number of orders. */
    check() {
        const { buyers, prober, listeners, skus, boss, sandbox } = this;
        return check_everything({ buyers: [...buyers, prober], listeners, skus, boss, sandbox, silent: true });
    }
}

/** Readiness of an instance, at its admin address: `{status, missing}`. */
export async function readiness(name) {
    const { body } = await request(admins()[name], 'GET', '/health/ready', { unchecked: true, from: next_address(), seconds: 5 });
    return body;
}

/** Whether an order service goes on without the engine. That a queue takes nothing is known only to one that has something to send. */
export async function is_missed(engine) {
    const all = await Promise.all(ORDER_SERVICES.map(readiness));
    return all.some(({ status, missing }) => status === 'degraded' && missing.includes(engine));
}
