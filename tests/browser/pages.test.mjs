// Every page, light and dark, at the desk and on the phone: nothing serious for axe, nothing wider than the window, nothing
// that jumps, and a picture in build/screenshots.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assert_accessible, assert_fits, DESKTOP, launch, missing, PHONE, screenshot } from '../support/browser.mjs';
import { admin, product, register } from '../support/shop.mjs';
import { leave, sign_in, visitor, web_system } from '../support/web-shop.mjs';

const options = { skip: missing };
const LARGEST_SHIFT = 0.1;
const SHELVES = [
    ['Stoneware mug', 'Holds 350 ml of something warm.', 1450, 120], ['Brass desk lamp', 'A warm pool of light for late ledgers.', 8900, 4],
    ['Log book, A5', 'Lined, numbered pages. Lies flat.', 1250, 300], ['Fountain pen', 'Writes the first time, every time.', 4200, 0],
    ['Assam tea, 250 g', 'Malty and strong, for night watches.', 990, 80], ['Canvas bag', 'Waxed cotton, made to be rained on.', 6400, 25],
];
let browser;
let shop;
let boss;
let order;
let failed;
let first;

before(async () => {
    if (missing) return;
    shop = await web_system();
    browser = await launch();
    boss = await admin(shop);
    for (const [name, description, unit_price, stock] of SHELVES) {
        const one = await product(boss, { unit_price, stock });
        await boss.patch(`/products/${one.sku}`, { name, description });
        first ??= one;
    }
    const items = [{ sku: first.sku, quantity: 2 }];
    await register(shop);
    order = await boss.paid_order(items);
    failed = await boss.order_in((await boss.order(items, { payment_method: 'pm_card_chargeDeclined' })).id, 'payment_failed');
});
after(async () => {
    await browser?.close();
    await shop?.stop();
});

/** Adds up what jumps without having been asked to. */
function watch_shifts() {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
}

/** Runs in the page: waits for the end of transitions, in which colours are neither one nor the other. */
function settled() {
    const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(ending.map((one) => one.finished));
}

/** The page as it stands, light and then dark. */
async function look_at(one, name, strict = true) {
    const { page, device } = one;
    await page.waitForFunction(() => document.fonts.status === 'loaded' && !document.querySelector('[aria-label="Loading"]'));
    const shifts = await page.evaluate(() => globalThis.shifts);
    if (strict) assert.ok(shifts < LARGEST_SHIFT, `${name} ${device} jumps: ${shifts}`);
    for (const scheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.locator(`html[data-mantine-color-scheme=${scheme}]`).waitFor();
        await page.evaluate(settled);
        await assert_accessible(page, `${name} ${device} ${scheme}`);
        await screenshot(page, `${name}-${device}-${scheme}`);
    }
    await assert_fits(page, `${name} ${device}`);
    await page.emulateMedia({ colorScheme: 'light' });
}

const by_heading = (name) => (page) => page.getByRole('heading', { name, exact: true }).first().waitFor();
const by_text = (text) => (page) => page.getByRole('main').getByText(text).first().waitFor();

const OPEN = [['sign-in', '/sign-in', by_heading('Welcome back')], ['register', '/register', by_heading('Create your account')]];
const PAGES = () => [
    ['shop', '/', by_text('Stoneware mug')],
    ['product', `/products/${first.sku}`, by_heading('Stoneware mug')],
    ['basket-empty', '/basket', by_text('Your basket is empty')],
    ['orders', '/orders', by_text('2 × Stoneware mug')],
    ['order-paid', `/orders/${order.id}`, by_heading('Receipt')],
    ['order-failed', `/orders/${failed.id}`, by_heading('Try another way to pay')],
    ['account', '/account', by_text('This device')],
    ['notifications', '/notifications', by_text(/Receipt for order/)],
    ['admin-products', '/admin/products', by_text('Canvas bag')],
    ['admin-users', '/admin/users', by_text(boss.email)],
    ['admin-user', `/admin/users/${boss.user.id}`, by_text('This is you')],
    ['functions', '/functions', by_text('format-order')],
    ['function-new', '/functions/new', by_heading('New function')],
    ['function', '/functions/format-order', by_text('Deploy a new version')],
    ['operations', '/operations', by_heading('Services')],
    ['dead-letters', '/operations/dead-letters', by_text(/Nothing is stuck|Send again/)],
    ['ledger', '/operations/ledger', by_text('Double-entry ledger')],
    ['not-found', '/nowhere', by_text('There is no such page')],
];

const FULL_BASKET = [['basket', '/basket', by_text('Go to checkout')], ['checkout', '/checkout', by_heading('Payment')]];

async function visit_all(device, viewport) {
    const one = { ...await visitor(browser, shop, { viewport }), device };
    const { page } = one;
    const visit = async ([name, path, ready]) => {
        await page.goto(path);
        await ready(page);
        await look_at(one, name);
    };
    await one.context.addInitScript(watch_shifts);
    for (const place of OPEN) await visit(place);
    await sign_in(one, boss.email, boss.password);
    for (const place of PAGES()) await visit(place);
    await page.goto('/');
    await page.getByRole('button', { name: /^Add Stoneware mug/ }).first().click();
    for (const place of FULL_BASKET) await visit(place);
    await page.getByRole('button', { name: /^Notifications/ }).click();
    await page.getByRole('dialog').getByText(/Receipt for order/).first().waitFor();
    await look_at(one, 'panel', false);
    await leave(one);
}

test('every page at the desk, light and dark', options, () => visit_all('desktop', DESKTOP));
test('every page on the phone, light and dark', options, () => visit_all('phone', PHONE));

test('the reference is rendered here, with nothing from elsewhere, and can be read by all', options, async () => {
    for (const [device, viewport] of [['desktop', DESKTOP], ['phone', PHONE]]) {
        const one = await visitor(browser, shop, { viewport });
        await one.page.goto('/docs');
        await one.page.locator('[data-path="/api/v1/orders"]').first().waitFor();
        await one.page.getByText('An order platform').first().waitFor();
        await assert_accessible(one.page, `docs ${device}`);
        await one.page.locator('.opblock-post .opblock-summary-control').first().click();
        await one.page.locator('.opblock.is-open .responses-table').first().waitFor();
        await assert_accessible(one.page, `docs ${device}, opened`);
        await assert_fits(one.page, `docs ${device}`);
        await screenshot(one.page, `docs-${device}-light`);
        await leave(one);
    }
});
