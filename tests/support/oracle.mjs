// Buyers and listeners whose own log of requests and answers is the oracle of what a system has to hold in the end, whatever
// happened to it meanwhile: each acknowledged order is there, paid once, its stock taken once, its notifications without a gap; so is each
// acknowledged cancel, further payment and read mark.

import assert from 'node:assert/strict';
import { all_pages, new_key, stock_of } from './shop.mjs';
import { Socket } from './socket.mjs';
import { random, sleep, until } from './wait.mjs';

export const STOCK = 1000000;
const DECLINED = 'pm_card_chargeDeclined';
const METHODS = ['pm_card_visa', 'pm_card_visa', 'pm_card_visa', 'pm_card_visa', 'pm_sandbox_flaky', DECLINED];
const FINAL = ['paid', 'payment_failed', 'cancelled'];

/** Sends until there is an answer that settles it, `repeated` if an attempt before may have been done; a repeat carries the same key. */
export async function settle(send) {
    let repeated = false;
    for (;;) {
        try {
            const answer = await send();
            if (answer.status < 500 && answer.status !== 429) return { ...answer, repeated };
            repeated ||= answer.status >= 500;
        } catch {
            repeated = true; // No answer: the process was killed. What it did, the repeat will tell.
        }
        await sleep(20);
    }
}

/**
 * One buyer: orders, and now and then sends an order twice, cancels one, pays a declined one again or reads a notification; logs every
 * acknowledged answer.
 */
export class Buyer {
    constructor(person, skus, seed) {
        Object.assign(this, { person, skus, dice: random(seed), log: [], read: new Set(), stopped: false });
    }

    pick(list) {
        return list[Math.floor(this.dice() * list.length)];
    }

    start() {
        this.ended = this.run();
    }

    async run() {
        while (!this.stopped) {
            await this.buy();
            await sleep(Math.floor(this.dice() * 100));
        }
    }

    async buy() {
        const quantity = 1 + Math.floor(this.dice() * 3);
        const order = { items: [{ sku: this.pick(this.skus), quantity }], payment_method: this.pick(METHODS) };
        const key = new_key();
        const send = () => this.person.post('/orders', order, { key, seconds: 10 });
        const answer = await settle(send);
        assert.equal(answer.status, 201, answer.text);
        const entry = { ...order, quantity, id: answer.body.id, total: answer.body.total, cancelled: false };
        this.log.push(entry);
        if (this.dice() < 0.1) assert.equal((await settle(send)).text, answer.text, 'a repeat has the same answer');
        if (this.dice() < 0.1) await this.cancel(entry);
        if (this.dice() < 0.1) await this.pay_again();
        if (this.dice() < 0.1) await this.read_next();
    }

    /**
     * Nobody ships here, so only an order that is cancelled refuses it: without a key, a repeat whose first answer was lost finds it done. Either
     * answer says that it is cancelled.
     */
    async cancel(entry) {
        const key = this.pick([undefined, new_key()]);
        const answer = await settle(() => this.person.post(`/orders/${entry.id}/cancel`, {}, { key, seconds: 10 }));
        if (key || !answer.repeated) assert.equal(answer.status, 200, answer.text);
        assert.ok([200, 409].includes(answer.status), answer.text);
        entry.cancelled = true;
    }

    /** The first declined order gets another card; refused where the first payment has not failed yet. */
    async pay_again() {
        const entry = this.log.find((one) => one.payment_method === DECLINED && !one.cancelled && !one.paid_again);
        if (!entry) return;
        const key = new_key();
        const answer = await settle(() => this.person.post(`/orders/${entry.id}/payments`, { payment_method: 'pm_card_visa' }, { key, seconds: 10 }));
        assert.ok([201, 409].includes(answer.status), answer.text);
        if (answer.status === 201) entry.paid_again = answer.body.id;
        else if (answer.repeated) entry.perhaps_paid = true; // the earlier attempt may come late
    }

    async read_next() {
        const { body } = await settle(() => this.person.get(`/notifications?after=${this.read.size}&limit=1`, { seconds: 10 }));
        if (!body.data.length) return;
        const [{ id }] = body.data;
        const { status, text } = await settle(() => this.person.post(`/notifications/${id}/read`, {}, { seconds: 10 }));
        assert.equal(status, 204, text);
        this.read.add(id);
    }
}

/** Listens all the time, coming back with the last number after each crash. */
export class Listener {
    constructor(shop, person) {
        Object.assign(this, { shop, person, seen: [], stopped: false });
    }

    start() {
        this.ended = this.run();
    }

    async run() {
        while (!this.stopped) {
            this.socket = new Socket(this.shop.base, { token: this.person.token, from: this.person.from, after: this.last() });
            // A refusal (503 while an instance is away) is an end too: it comes back.
            await until('the socket ends', () => this.socket.closed || this.socket.refused || this.stopped, { seconds: 600, every_ms: 10 });
            this.seen.push(...this.socket.notifications());
            this.socket.socket.terminate();
            this.socket = null;
            await sleep(20);
        }
    }

    /** The last number that it saw. */
    last() {
        return this.socket?.notifications().at(-1)?.seq ?? this.seen.at(-1)?.seq ?? 0;
    }

    /** Waits until it has seen the number, then ends. */
    async stop_at(seq) {
        await until(`the listener has seen ${seq}`, () => this.last() >= seq);
        this.stopped = true;
        await this.ended;
    }
}

async function all_settled(buyers) {
    for (const buyer of buyers) {
        buyer.orders = await all_pages(buyer.person, '/orders');
        buyer.payments = await all_pages(buyer.person, '/payments');
        if (!buyer.orders.every((order) => FINAL.includes(order.status))) return false;
        const cancelled = new Set(buyer.orders.filter((o) => o.status === 'cancelled').map((o) => o.id));
        if (buyer.payments.some((p) => p.status === 'pending')) return false;
        if (buyer.payments.some((p) => cancelled.has(p.order_id) && p.status === 'succeeded')) return false;
    }
    return true;
}

/** Where its order may have ended, by what was acknowledged. `timed_out`: the provider never took a charge, and that was said when its time was over. */
function ends_of(entry, timed_out) {
    if (entry.cancelled) return ['cancelled'];
    const declined = entry.payment_method === DECLINED && !entry.paid_again;
    const ends = [declined ? 'payment_failed' : 'paid'];
    if (declined && entry.perhaps_paid) ends.push('paid');
    if (!declined && timed_out) ends.push('payment_failed');
    return ends;
}

/**
 * Each acknowledged order is there with its total, its payments and a status that fits, and no other order is. `silent`: engines stood still or
 * the machine did, for longer than a provider is waited for, so a charge may have timed out before the provider had it.
 */
async function check_orders(buyers, silent) {
    for (const { log, orders, payments } of buyers) {
        const there = new Map(orders.map((order) => [order.id, order]));
        for (const entry of log) {
            const order = there.get(entry.id);
            assert.ok(order, `acknowledged order ${entry.id} is lost`);
            assert.equal(order.total, entry.total);
            const own = payments.filter((p) => p.order_id === order.id), said = `${JSON.stringify(entry)} is ${order.status}: ${JSON.stringify(own)}`;
            const expected = ends_of(entry, silent && own.some((p) => p.status === 'failed' && p.failure_code === 'timeout'));
            assert.ok(expected.includes(order.status), said);
            if (entry.paid_again) assert.ok(own.some((p) => p.id === entry.paid_again), `an acknowledged payment is lost: ${said}`);
            if (order.status === 'paid') assert.equal(own.filter((p) => p.status === 'succeeded').length, 1, said);
            if (order.status === 'cancelled') assert.ok(own.every((p) => p.status === 'failed' || p.refunded_amount === p.amount), `not refunded: ${said}`);
        }
        assert.equal(new Set(log.map((e) => e.id)).size, log.length, 'two requests were given one order');
        assert.equal(orders.length, log.length, 'there are orders that nobody was told of');
    }
}

/** The provider charged each paid order once, and holds what the payments say. */
async function check_charges(buyers, sandbox) {
    const captured = new Map();
    for (const charge of await sandbox.charges()) {
        if (charge.status !== 'succeeded') continue;
        assert.equal(captured.has(charge.key), false, `charged twice: ${charge.key}`);
        captured.set(charge.key, charge);
    }
    const payments = buyers.flatMap((b) => b.payments).filter((p) => p.status !== 'failed');
    const kept = (rows, amount) => rows.reduce((sum, row) => sum + amount(row), 0);
    assert.equal(captured.size, payments.length);
    assert.equal(kept(payments, (p) => p.amount), kept([...captured.values()], (c) => c.amount));
    assert.equal(kept(payments, (p) => p.refunded_amount), kept([...captured.values()], (c) => c.refunded_amount));
}

/** The ledger's sum is zero, and the stock is what the orders left. */
async function check_books(boss, buyers, skus) {
    const { body } = await boss.get('/operations/ledger');
    assert.equal(body.balanced, true, JSON.stringify(body));
    for (const sku of skus) {
        let taken = 0;
        for (const { log, orders } of buyers) {
            const there = new Map(orders.map((order) => [order.id, order]));
            for (const entry of log) if (entry.items[0].sku === sku && there.get(entry.id).status !== 'cancelled') taken += entry.quantity;
        }
        assert.equal(await stock_of(boss, sku), STOCK - taken, `stock of ${sku}`);
    }
}

const WANTED = { paid: ['order.created', 'order.paid'], payment_failed: ['order.created', 'order.payment_failed'], cancelled: ['order.created', 'order.cancelled'] };

/** Numbers from 1 without a gap, one notification a fact, and what its user marked as read is read, nothing else. */
async function check_notifications(buyers) {
    for (const buyer of buyers) {
        const wanted = buyer.orders.flatMap((order) => WANTED[order.status].map((type) => `${type} ${order.id}`));
        buyer.history = await until('every notification is there', async () => {
            const rows = await all_pages(buyer.person, '/notifications?after=0');
            const facts = new Set(rows.map((n) => `${n.type} ${n.data?.order_id}`));
            return wanted.every((fact) => facts.has(fact)) && rows;
        }, { seconds: 180, every_ms: 3000 }); // a look is many pages, and people's limits are on
        const rows = buyer.history;
        assert.deepEqual(rows.map((n) => n.seq), rows.map((_, at) => at + 1));
        const facts = rows.filter((n) => n.type.startsWith('order.')).map((n) => `${n.type} ${n.data.order_id} ${n.data.payment_id}`);
        assert.equal(new Set(facts).size, facts.length, 'told twice');
        assert.deepEqual(rows.filter((n) => n.read_at).map((n) => n.id).sort(), [...buyer.read ?? []].sort(), 'marked as read');
    }
}

/** Who listened all the time saw every notification once and in order. */
function check_seen(listeners) {
    for (const { seen } of listeners) {
        assert.deepEqual(seen.map((n) => n.seq), seen.map((_, at) => at + 1), 'seen with a gap or twice');
    }
}

/**
 * The last look, when nothing is done to the system any more: the buyers stop, all comes to rest, and each promise is held against their logs.
 * `listeners` are of these buyers; `silent` is said at `check_orders`. Gives the number of orders.
 */
export async function check_everything({ buyers, listeners = [], skus, boss, sandbox, silent = false }) {
    for (const buyer of buyers) buyer.stopped = true;
    await Promise.all(buyers.map((buyer) => buyer.ended));
    await until('every order is settled', () => all_settled(buyers), { seconds: 300, every_ms: 2000 }); // many pages too
    await check_orders(buyers, silent);
    await check_charges(buyers, sandbox);
    await check_books(boss, buyers, skus);
    await check_notifications(buyers);
    const told = (person) => buyers.find((buyer) => buyer.person === person).history.length;
    await Promise.all(listeners.map((listener) => listener.stop_at(told(listener.person))));
    check_seen(listeners);
    assert.deepEqual((await boss.get('/operations/dead-letters')).body.data, []);
    return buyers.reduce((sum, buyer) => sum + buyer.log.length, 0);
}
