// The pages of the web app by their addresses, with something on the shelves, and how one waits until a page stands still.

import { product, register } from './shop.mjs';

const SHELVES = [
    ['Stoneware mug', 'Holds 350 ml of something warm.', 1450, 120], ['Brass desk lamp', 'A warm pool of light for late ledgers.', 8900, 4],
    ['Log book, A5', 'Lined, numbered pages. Lies flat.', 1250, 300], ['Fountain pen', 'Writes the first time, every time.', 4200, 0],
    ['Assam tea, 250 g', 'Malty and strong, for night watches.', 990, 80], ['Canvas bag', 'Waxed cotton, made to be rained on.', 6400, 25],
];

/** Products, somebody who has registered, and two orders of the administrator's: `{ first, paid, failed }`. */
export async function furnish({ shop, boss }) {
    const products = [];
    for (const [name, description, unit_price, stock] of SHELVES) {
        const one = await product(boss, { unit_price, stock });
        products.push({ ...one, ...(await boss.patch(`/products/${one.sku}`, { name, description })).body });
    }
    const [first] = products;
    const items = [{ sku: first.sku, quantity: 2 }];
    await register(shop);
    const paid = await boss.paid_order(items);
    const failed = await boss.order_in((await boss.order(items, { payment_method: 'pm_card_chargeDeclined' })).id, 'payment_failed');
    return { products, first, paid, failed };
}

export const by_heading = (name) => (page) => page.getByRole('heading', { name, exact: true }).first().waitFor();
export const by_text = (text) => (page) => page.getByRole('main').getByText(text).first().waitFor();

/** What anybody can see. Each is `[name, address, wait until it is there]`. */
export const OPEN = [['sign-in', '/sign-in', by_heading('Welcome back')], ['register', '/register', by_heading('Create your account')]];

/** What an administrator can see. */
export const pages_of = ({ boss, first, paid, failed }) => [
    ['shop', '/', by_text('Stoneware mug')],
    ['product', `/products/${first.sku}`, by_heading('Stoneware mug')],
    ['basket-empty', '/basket', by_text('Your basket is empty')],
    ['orders', '/orders', by_text('2 × Stoneware mug')],
    ['order-paid', `/orders/${paid.id}`, by_heading('Receipt')],
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

/** What there is to see with something in the basket. */
export const FULL_BASKET = [['basket', '/basket', by_text('Go to checkout')], ['checkout', '/checkout', by_heading('Payment')]];

/** For a browser's pages: adds up, as `shifts`, what jumps without having been asked to. */
export function watch_shifts() {
    globalThis.shifts = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) globalThis.shifts += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
}

/** Nothing more is to come: the letters are there, and what was on its way. */
export async function all_there(page) {
    await page.evaluate(() => document.fonts.ready.then(() => {}));
    await page.waitForFunction(() => document.fonts.status === 'loaded' && !document.querySelector('[aria-label="Loading"]'));
}

/** Runs in the page: waits for the end of transitions, in which colours are neither one nor the other. */
function settled() {
    const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
    return Promise.allSettled(ending.map((one) => one.finished));
}

/** The page in each scheme, standing still. */
export async function in_each_scheme(page, look) {
    for (const scheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.locator(`html[data-mantine-color-scheme=${scheme}], html:not([data-mantine-color-scheme])`).waitFor();
        await page.evaluate(settled);
        await look(scheme);
    }
    await page.emulateMedia({ colorScheme: 'light' });
}
