// What people do in the web app, as steps over its pages.

import assert from 'node:assert/strict';
import { open_browser, web_folder } from './browser.mjs';
import { Person, new_email, PASSWORD } from './shop.mjs';
import { system } from './system.mjs';

/** A system that serves the web app. Its limits are off: every browser comes from one address. */
export function web_system(settings = {}) {
    return system({ settings: {
        PURSER_WEB: web_folder, PURSER_FUNCTIONS: 'on', PURSER_RATE_LIMIT_IP: 'off', PURSER_RATE_LIMIT_USER: 'off',
        PURSER_RATE_LIMIT_LOGIN: 'off', PURSER_WORKERS: '1', ...settings,
    } });
}

/** A browser of somebody's own. */
export async function visitor(browser, shop, options) {
    const one = await open_browser(browser, shop.base, options);
    return { ...one, shop };
}

/** A browser in which somebody is signed in since an earlier visit: by an address of the API that begins a session, and what to send there. */
async function returning(browser, shop, person, path, body, options) {
    const answer = await person.post(path, body, { token: null, headers: { 'X-Session-Mode': 'cookie', Origin: shop.base } });
    assert.ok([200, 201].includes(answer.status), answer.text);
    person.take(answer.body);
    const one = await visitor(browser, shop, { ...options, state: signed_in(shop.base, answer.headers['set-cookie'][0]) });
    return { ...one, email: person.email, person };
}

/** Somebody new. */
export function customer(browser, shop, options) {
    const person = new Person(shop, { email: new_email(), password: PASSWORD });
    return returning(browser, shop, person, '/auth/register', { email: person.email, password: PASSWORD, name: 'Ada Lovelace' }, options);
}

/** An administrator, or somebody else who has an account. */
export function member(browser, shop, { email, password }, options) {
    return returning(browser, shop, new Person(shop, { email, password }), '/auth/login', { email, password }, options);
}

/** What a browser keeps of a session. */
function signed_in(base, cookie) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    return {
        cookies: [{ name, value, domain: new URL(base).hostname, path: '/api/v1/auth', expires: -1, httpOnly: true, secure: true, sameSite: 'Strict' }],
        origins: [{ origin: base, localStorage: [{ name: 'purser.signed-in', value: '1' }] }],
    };
}

export async function sign_up(one, name = 'Ada Lovelace') {
    const email = new_email();
    await one.page.goto('/register');
    await one.page.getByLabel(/^Name/).fill(name);
    await one.page.getByLabel(/^Email/).fill(email);
    await one.page.getByLabel(/^Password/).fill(PASSWORD);
    await one.page.getByRole('button', { name: 'Create account' }).click();
    await one.page.getByRole('heading', { name: 'The shop' }).waitFor();
    Object.assign(one, { email });
    return email;
}

export async function sign_in(one, email, password = PASSWORD, next = '/') {
    await one.page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await one.page.getByLabel(/^Email/).fill(email);
    await one.page.getByLabel(/^Password/).fill(password);
    await one.page.getByRole('button', { name: 'Sign in' }).click();
    await one.page.waitForURL((url) => url.pathname === next);
    one.email = email;
}

/** The same person by the API; who has signed in by the form does so from another device. */
export function by_api(one) {
    return one.person ?? new Person(one.shop, { email: one.email, password: PASSWORD }).login();
}

export async function add_to_basket(one, product) {
    await one.page.goto(`/products/${product.sku}`);
    await one.page.getByRole('button', { name: `Add ${product.name} to the basket` }).click();
    await one.page.getByRole('link', { name: /^Basket, 1 item/ }).waitFor();
}

/** From the product to the pay button. */
export async function to_checkout(one, product, method = 'Visa ending 4242') {
    await add_to_basket(one, product);
    await one.page.goto('/checkout');
    await one.page.getByRole('radio', { name: new RegExp(`^${method}`) }).click();
    return one.page.getByRole('button', { name: /^Pay/ });
}

/** Orders and gives the order's id once its page is there. */
export async function order(one, product, method) {
    const pay = await to_checkout(one, product, method);
    await pay.click();
    return order_id(one);
}

export async function order_id(one) {
    await one.page.waitForURL(/\/orders\/[0-9a-f-]{36}$/);
    return new URL(one.page.url()).pathname.split('/').pop();
}

export function status(one, label) {
    return one.page.getByText(`Order status: ${label}`).waitFor({ state: 'attached' });
}

/** No errors in pages, none on their consoles, no request to anywhere else. */
export async function leave(one) {
    await one.context.close();
    assert.deepEqual(one.complaints, []);
}
