// What there is to see: each state has a name, an address, and how it comes about.

import { by_heading, by_text, FULL_BASKET, OPEN, pages_of } from '../support/web-pages.mjs';

const JSON_TYPE = { 'Content-Type': 'application/problem+json' };
const refuse = (status, name, more = {}) => (route) => route.fulfill({
    status, headers: JSON_TYPE, body: JSON.stringify({ type: `/problems/${name}`, title: name, status, request_id: '01932f50', ...more }),
});
const broken = refuse(500, 'internal-error');
const is_loading = (page) => page.getByLabel('Loading').first().waitFor();
const is_broken = (page) => page.getByText('Something went wrong on our side').first().waitFor();
const button = (name) => (page) => page.getByRole('button', { name }).first().click();
const dialog = (name) => async (page) => {
    await button(name)(page);
    await page.getByRole('dialog').waitFor();
};
const tab = (name, ready) => async (page) => {
    await page.getByRole('tab', { name }).click();
    await ready(page);
};

/** A page while what it shows is on its way, and when it cannot be had. */
const waits_and_breaks = (name, path, pattern) => [
    [`${name}-loading`, path, { route: { [pattern]: () => {} }, ready: is_loading }],
    [`${name}-broken`, path, { route: { [pattern]: broken }, ready: is_broken }],
];
const simple = ([name, path, ready]) => [name, path, { ready }];

async function fill(page, fields) {
    for (const [label, text] of Object.entries(fields)) await page.getByLabel(label, { exact: false }).first().fill(text);
}

const nobody = ({ first, products }) => [
    ...OPEN.map(simple),
    ['sign-in-wrong', '/sign-in', { ready: by_heading('Welcome back'), act: async (page) => {
        await fill(page, { Email: 'ada@example.com', Password: 'not the password' });
        await button('Sign in')(page);
        await page.getByText('The email or the password is not right').waitFor();
    } }],
    ['register-incomplete', '/register', { ready: by_heading('Create your account'), act: async (page) => {
        await button('Create account')(page);
        await page.getByText(/Enter an email/).waitFor();
    } }],
    ['register-busy', '/register', { ready: by_heading('Create your account'), route: { '**/auth/register': refuse(429, 'rate-limited') }, act: async (page) => {
        await fill(page, { Name: 'Ada', Email: 'ada@example.com', Password: 'a long enough password' });
        await button('Create account')(page);
        await page.getByText('One moment, please').waitFor();
    } }],
    ['shop-signed-out', '/', { ready: by_text('Stoneware mug') }],
    ['shop-search', '/', { ready: by_text('Stoneware mug'), act: async (page) => {
        await page.getByLabel('Search the shop').fill('caviar');
        await page.getByText('Nothing matches').waitFor();
    } }],
    ['shop-empty', '/', { route: { '**/api/v1/products?*': (route) => route.fulfill({ json: { data: [], next_cursor: null } }) }, ready: by_text('Nothing on the shelves yet') }],
    ...waits_and_breaks('shop', '/', '**/api/v1/products?*'),
    ['shop-away', '/', { route: { '**/api/**': (route) => route.abort() }, ready: by_text('Can’t reach the server') }],
    ['shop-remote-missing', '/', { route: { '**/assets/orders/entry-*': (route) => route.abort() }, ready: by_text('can’t be shown right now') }],
    ['shop-offline', '/', { ready: by_text('Stoneware mug'), act: async (page) => {
        await page.context().setOffline(true);
        await page.getByText(/You are offline/).waitFor();
    } }],
    ['product-sold-out', `/products/${products[3].sku}`, { ready: by_text('Sold out') }],
    ...waits_and_breaks('product', `/products/${first.sku}`, `**/api/v1/products/${first.sku}`),
    ['product-missing', '/products/none', { ready: by_text('There is no such product') }],
    ['mistyped', '/%', { ready: by_text('There is no such page') }],
    ['menu-signed-out', '/', { ready: by_text('Stoneware mug'), act: async (page, device) => {
        if (device === 'phone') await page.getByRole('button', { name: 'Menu' }).click();
    } }],
    ['docs', '/docs', { moves: true, ready: (page) => page.locator('[data-path="/api/v1/orders"]').first().waitFor() }],
    ['docs-opened', '/docs', { moves: true, ready: (page) => page.locator('.opblock-post .opblock-summary-control').first().waitFor(), act: async (page) => {
        await page.locator('.opblock-post .opblock-summary-control').first().click();
        await page.locator('.opblock.is-open .responses-table').first().waitFor();
    } }],
];

const newcomer = () => [
    ['orders-empty', '/orders', { ready: by_text('No orders yet') }],
    ['notifications-first', '/notifications', { ready: by_text(/Welcome/) }],
    ['order-missing', '/orders/none', { ready: by_text('There is no such order') }],
    ['not-allowed', '/operations', { ready: by_text('This page is for administrators') }],
    ['away', '/orders', { route: { '**/api/**': (route) => route.abort() }, ready: by_text('You are still signed in') }],
    ['account-delete', '/account', { ready: by_text('This device'), act: dialog('Delete account') }],
    ['account-menu', '/', { ready: by_text('Stoneware mug'), act: async (page) => {
        await page.getByRole('button', { name: /^Account of/ }).click();
        await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    } }],
];

const customer = ({ orders }) => [
    ['orders-mine', '/orders', { ready: by_text('2 × Stoneware mug') }],
    ['orders-none-like-that', '/orders?status=pending_payment', { ready: by_text('No orders like that') }],
    ...waits_and_breaks('orders', '/orders', '**/api/v1/orders?*'),
    ...['paid', 'failed', 'cancelled', 'shipped', 'delivered', 'refunded'].map((name) => [`order-${name}-mine`, `/orders/${orders[name].id}`, { ready: by_heading('Progress') }]),
    ['order-pending', `/orders/${orders.paid.id}`, { route: {
        [`**/api/v1/orders/${orders.paid.id}`]: (route) => route.fulfill({ json: { ...orders.paid, status: 'pending_payment', payment: null, history: orders.paid.history.slice(0, 1) } }),
        '**/api/v1/payments?*': (route) => route.fulfill({ json: { data: [], next_cursor: null } }),
    }, ready: by_text('Being started…') }],
    ...waits_and_breaks('order', `/orders/${orders.paid.id}`, `**/api/v1/orders/${orders.paid.id}`),
    ['order-cancel', `/orders/${orders.paid.id}`, { ready: by_heading('Progress'), act: dialog('Cancel order') }],
    ['order-cancel-refused', `/orders/${orders.paid.id}`, { route: { '**/cancel': refuse(409, 'conflict', { title: 'Not possible any more', detail: 'The order has been shipped.' }) }, ready: by_heading('Progress'), act: async (page) => {
        await dialog('Cancel order')(page);
        await page.getByRole('dialog').getByRole('button', { name: 'Cancel the order' }).click();
        await page.getByText('Not possible any more').waitFor();
    } }],
    ['panel', '/', { ready: by_text('Stoneware mug'), act: async (page) => {
        await page.getByRole('button', { name: /^Notifications/ }).click();
        await page.getByRole('dialog').getByText(/Receipt for order/).first().waitFor();
    } }],
    ['notifications-mine', '/notifications', { ready: by_text(/Receipt for order/) }],
    ...waits_and_breaks('notifications', '/notifications', '**/api/v1/notifications?*'),
    ['basket-toast', '/', { ready: by_text('Stoneware mug'), act: async (page) => {
        await page.getByRole('button', { name: /^Add Stoneware mug/ }).first().click();
        await page.getByRole('link', { name: /^Basket, 1 item/ }).waitFor();
    } }],
    ...FULL_BASKET.map(simple),
    ['checkout-incomplete', '/checkout', { ready: by_heading('Payment'), act: async (page) => {
        await page.getByLabel('City').fill('Kiel');
        await page.getByRole('button', { name: /^Pay/ }).click();
        await page.locator('[aria-invalid=true]').first().waitFor();
    } }],
    ...[['price-changed', 'The price has changed', { total: 1600, currency: 'EUR' }], ['out-of-stock', 'Not enough left', { errors: [{ pointer: '/items/0/quantity', detail: 'only 1 is left' }] }]]
        .map(([name, text, more]) => [`checkout-${name}`, '/checkout', { route: { '**/api/v1/orders': refuse(409, name, more) }, ready: by_heading('Payment'), act: async (page) => {
            await page.getByLabel('City').fill('');
            await page.getByRole('button', { name: /^Pay/ }).click();
            await page.getByText(text).waitFor();
        } }]),
];

const LETTER = { id: '01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f', service: 'functions', source: 'purser.order.paid', type: 'order.paid', attempts: 8, created_at: '2026-01-02T03:04:05.678Z',
    error: 'TypeError: undefined is not an object (evaluating ‘order.customer.name’)', event: { id: 'e1', type: 'order.paid', data: { order_id: '01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f' } } };

const administrator = (world) => [
    ...pages_of(world).map(simple),
    ['order-to-ship', `/orders/${world.orders.paid.id}`, { ready: by_heading('Administration') }],
    ['order-refund', `/orders/${world.orders.delivered.id}`, { ready: by_heading('Administration'), act: dialog('Refund') }],
    ['admin-products-add', '/admin/products', { ready: by_text('Canvas bag'), act: dialog('Add a product') }],
    ['admin-products-incomplete', '/admin/products', { ready: by_text('Canvas bag'), act: async (page) => {
        await dialog('Add a product')(page);
        await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
        await page.getByText('Give it a name').waitFor();
    } }],
    ...waits_and_breaks('admin-products', '/admin/products', '**/api/v1/products?*'),
    ['admin-users-role', '/admin/users', { ready: by_text(world.boss.email), act: dialog(/^Make an administrator/) }],
    ['admin-users-mistyped', '/admin/users', { ready: by_text(world.boss.email), act: async (page) => {
        await page.getByLabel('A user’s id').fill('none');
        await page.getByRole('button', { name: 'Look up' }).click();
        await page.getByText('This is not a user’s id').waitFor();
    } }],
    ...waits_and_breaks('admin-users', '/admin/users', '**/api/v1/users?*'),
    ['admin-user-missing', '/admin/users/none', { ready: by_text('There is no such user') }],
    ...waits_and_breaks('functions', '/functions', '**/api/v1/functions?*'),
    ['function-try', '/functions/say-hello', { ready: by_text('Deploy a new version'), act: async (page) => {
        await tab('Try', by_text('Input, as JSON'))(page);
        await button('Call it')(page);
        await page.getByTestId('outcome').waitFor();
    } }],
    ['function-logs', '/functions/say-hello', { ready: by_text('Deploy a new version'), act: tab('Logs', by_text(/Succeeded|Not called yet/)) }],
    ['function-versions', '/functions/say-hello', { ready: by_text('Deploy a new version'), act: tab('Versions', by_text('Version 1')) }],
    ['function-refused', '/functions/say-hello', { ready: by_text('Deploy a new version'), act: async (page) => {
        await page.getByRole('textbox', { name: 'Source' }).click();
        await page.keyboard.press('Control+A');
        await page.keyboard.insertText('function handler( {');
        await button('Deploy a new version')(page);
        await page.getByRole('alert').first().waitFor();
    } }],
    ['function-delete', '/functions/say-hello', { ready: by_text('Deploy a new version'), act: dialog('Delete') }],
    ['function-missing', '/functions/none', { ready: by_text('There is no such function') }],
    ...waits_and_breaks('operations', '/operations', '**/api/v1/operations/status'),
    ['dead-letters-some', '/operations/dead-letters', { route: { '**/api/v1/operations/dead-letters?*': (route) => route.fulfill({ json: { data: [LETTER, { ...LETTER, id: 'two' }], next_cursor: null } }) }, ready: by_text(/undefined is not an object/), act: async (page) => {
        await button('Show the message')(page);
    } }],
    ...waits_and_breaks('dead-letters', '/operations/dead-letters', '**/api/v1/operations/dead-letters?*'),
    ...waits_and_breaks('ledger', '/operations/ledger', '**/api/v1/operations/ledger'),
    ['menu', '/', { ready: by_text('Stoneware mug'), act: async (page, device) => {
        if (device === 'phone') await page.getByRole('button', { name: 'Menu' }).click();
    } }],
];

/** By who sees it. */
export const states_of = (world) => ({ nobody: nobody(world), newcomer: newcomer(), customer: customer(world), administrator: administrator(world) });
