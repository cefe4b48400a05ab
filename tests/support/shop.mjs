// What people do in the shop, as helpers: sign up, stock the shelves, order, wait until it is paid.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { request, next_address } from './client.mjs';
import { Socket } from './socket.mjs';
import { until } from './wait.mjs';

export const PASSWORD = 'a long enough password';
let counter = 0;

/** A name that no other test has. */
export function unique(prefix) {
    counter += 1;
    return `${prefix}-${process.pid}-${Date.now().toString(36)}-${counter}`;
}

export const new_email = () => `${unique('user')}@example.com`;
export const new_key = () => crypto.randomUUID();

/** Somebody with an account; `as.get('/users/me')` and the like are requests with his token from his address. */
export class Person {
    constructor(system, { from = next_address(), email, password, answer } = {}) {
        Object.assign(this, { system, from, email, password });
        if (answer) this.take(answer);
    }

    take(answer) {
        this.token = answer.access_token;
        this.refresh_token = answer.refresh_token;
        this.id = answer.user.id;
        this.user = answer.user;
    }

    send(method, path, options = {}) {
        const { token = this.token, ...rest } = options;
        return request(this.system.base, method, `/api/v1${path}`, { token, from: this.from, ...rest });
    }

    get(path, options) { return this.send('GET', path, options); }

    post(path, json, options) { return this.send('POST', path, { json, ...options }); }

    put(path, json, options) { return this.send('PUT', path, { json, ...options }); }

    patch(path, json, options) { return this.send('PATCH', path, { json, ...options }); }

    delete(path, options) { return this.send('DELETE', path, options); }

    socket(options) { return new Socket(this.system.base, { token: this.token, from: this.from, ...options }); }

    /** The same person at another place: a further session. */
    async login(password = this.password) {
        const other = new Person(this.system, { email: this.email, password });
        const answer = await other.post('/auth/login', { email: this.email, password }, { token: null });
        assert.equal(answer.status, 200, answer.text);
        other.take(answer.body);
        return other;
    }

    /** Orders; gives the 201's body. */
    async order(items, { payment_method = 'pm_card_visa', key = new_key(), headers, ...rest } = {}) {
        const answer = await this.post('/orders', { items, payment_method, ...rest }, { key, headers });
        assert.equal(answer.status, 201, answer.text);
        return answer.body;
    }

    /** Waits until the order has one of the statuses. */
    async order_in(id, ...statuses) {
        return until(`order ${id} is ${statuses.join(' or ')}`, async () => {
            const { body } = await this.get(`/orders/${id}`);
            return statuses.includes(body.status) && body;
        });
    }

    async paid_order(items, options) {
        const { id } = await this.order(items, options);
        return this.order_in(id, 'paid');
    }
}

export async function register(system, { email = new_email(), password = PASSWORD, name = 'Ada Lovelace' } = {}) {
    const person = new Person(system, { email, password });
    const answer = await person.post('/auth/register', { email, password, name }, { token: null });
    assert.equal(answer.status, 201, answer.text);
    person.take(answer.body);
    return person;
}

/** Somebody with the role admin. */
export async function admin(system) {
    const email = system.outside ? process.env.PURSER_ADMIN_EMAIL : `admin-${unique('a')}@example.com`;
    const password = system.outside ? process.env.PURSER_ADMIN_PASSWORD : PASSWORD;
    if (!system.outside) await system.create_admin(email, password);
    return new Person(system, { email, password }).login();
}

/** Puts a new product on the shelf. */
export async function product(boss, { unit_price = 1450, currency = 'EUR', stock = 1000, sku = unique('SKU') } = {}) {
    const answer = await boss.post('/products', { sku, name: `Product ${sku}`, description: 'For tests.', unit_price, currency, stock },
        { key: new_key() });
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
}

export async function stock_of(person, sku) {
    return (await person.get(`/products/${sku}`)).body.stock;
}

/** All pages of a list, oldest page last. */
export async function all_pages(person, path, limit = 100) {
    const rows = [];
    let cursor = null;
    do {
        const mark = path.includes('?') ? '&' : '?';
        const { body, status, text } = await person.get(`${path}${mark}limit=${limit}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
        assert.equal(status, 200, text);
        rows.push(...body.data);
        cursor = body.next_cursor;
    } while (cursor);
    return rows;
}
