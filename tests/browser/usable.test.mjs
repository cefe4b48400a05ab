// Whom the web app serves: who has the keyboard alone, a small window, large text, wide text, no wish for motion, an unsteady hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert_accessible, assert_fits, DESKTOP, PHONE } from '../support/browser.mjs';
import { deploy, functions_run } from '../support/functions.mjs';
import { PASSWORD, register } from '../support/shop.mjs';
import { all_there, by_text, FULL_BASKET, furnish, OPEN, pages_of } from '../support/web-pages.mjs';
import { add_to_basket, by_api, customer, leave, member, sign_in, status, visitor } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';

let browser, shop, boss, world, mug;

const options = web_suite(async (suite) => {
    ({ browser, shop, boss } = suite);
    world = { ...suite, ...await furnish(suite) };
    mug = world.first;
});

/** Runs in the page: what has the focus is called so. */
const focused = () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '';

/** Presses a key until what has the focus is called so; `looks`: what holds, in the page, of all on the way. */
async function go_to(page, name, { key = 'Tab', looks } = {}) {
    for (let presses = 0; presses < 100; presses += 1) {
        await page.keyboard.press(key);
        if (looks) await page.waitForFunction(looks);
        if (name.test(await page.evaluate(focused))) return;
    }
    assert.fail(`${key} does not lead to ${name}`);
}

/** After a move within the page: the focus is where the new page begins. */
async function arrived(page, heading) {
    await page.getByRole('heading', { name: heading }).first().waitFor();
    await page.waitForFunction(() => document.activeElement?.id === 'content');
}

test('everything by keyboard: form, skip link, menu, an order', options, async () => {
    const ada = await register(shop);
    const one = await visitor(browser, shop);
    const { page } = one;
    await page.goto('/sign-in');
    await page.getByLabel(/^Email/).waitFor();
    await page.keyboard.type(ada.email);
    await page.keyboard.press('Tab');
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'The shop' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'The shop' }).waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
    await page.getByRole('button', { name: /Account of/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('menuitem', { name: 'Account' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menuitem', { name: 'Account' }).waitFor({ state: 'hidden' });
    const add = new RegExp(`^Add ${mug.name}`);
    await page.getByRole('button', { name: add }).first().waitFor();
    await go_to(page, add);
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: /^Basket, 1 item/ }).waitFor();
    await go_to(page, /^Basket, 1 item/, { key: 'Shift+Tab' });
    await page.keyboard.press('Enter');
    await arrived(page, 'Basket');
    await go_to(page, /^Go to checkout/);
    await page.keyboard.press('Enter');
    await arrived(page, 'Checkout');
    await go_to(page, /^Pay /);
    await page.keyboard.press('Enter');
    await page.getByText('Order status: Paid').waitFor({ state: 'attached' });
    await leave(one);
});

/** A button by the keyboard. */
const press = (within, name) => within.getByRole('button', { name }).first().press('Enter');

/** A button of the dialog, which has taken the focus first. */
async function answer(page, name) {
    await page.waitForFunction(() => document.querySelector('[role=dialog]')?.contains(document.activeElement));
    await press(page.getByRole('dialog'), name);
}

/** The focus is on a heading or a link that is called so. */
function has_focus(page, name) {
    return page.waitForFunction((text) => /^(H1|H2|A|BUTTON)$/.test(document.activeElement?.tagName)
        && `${document.activeElement.getAttribute('aria-label') ?? ''} ${document.activeElement.textContent}`.includes(text), name);
}

test('the focus is not lost where what has it goes away: in a list, in a basket, with a dialog', options, async () => {
    const ada = await customer(browser, shop);
    const { page } = ada;
    await (await by_api(ada)).login();
    await page.goto('/account');
    await press(page, 'End');
    await has_focus(page, 'Where you are signed in');
    await page.goto('/notifications');
    await press(page, 'Mark as read');
    await page.waitForFunction(() => document.activeElement !== document.body && document.activeElement?.textContent !== 'Mark as read');
    await add_to_basket(ada, mug);
    await page.goto('/basket');
    await press(page, `One ${mug.name} less`);
    await has_focus(page, 'Your basket is empty');
    const { id } = await ada.person.paid_order([{ sku: mug.sku, quantity: 1 }]);
    await page.goto(`/orders/${id}`);
    await press(page, 'Cancel order');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await has_focus(page, 'Cancel order');
    await page.keyboard.press('Enter');
    await answer(page, 'Cancel the order');
    await status(ada, 'Cancelled');
    await has_focus(page, 'Order ');
    await leave(ada);
});

test('the same for an administrator: a step that is done, a tab, what is deleted', options, async () => {
    const { id } = await boss.paid_order([{ sku: mug.sku, quantity: 1 }]);
    const desk = await member(browser, shop, boss);
    const { page } = desk;
    await page.goto(`/orders/${id}`);
    await press(page, 'Mark as shipped');
    await page.getByRole('button', { name: 'Mark as delivered' }).waitFor();
    await has_focus(page, 'Administration');
    await page.goto('/operations');
    await page.getByRole('tab', { name: 'System' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL('**/operations/dead-letters');
    await has_focus(page, 'Dead letters');
    if (functions_run) {
        const name = await deploy(boss, 'function handler() { return 1; }');
        await page.goto(`/functions/${name}`);
        await press(page, 'Delete');
        await answer(page, 'Delete it');
        await page.waitForURL('**/functions');
        await arrived(page, 'Functions');
    }
    await leave(desk);
});

/** Runs in the page: what there is to press, to fill in and to read, and where. */
function places() {
    const all = [...document.querySelectorAll('main, [role=dialog]')].flatMap((part) => [...part.querySelectorAll('h1, h2, a, button, input, textarea, select, label')]);
    return all.filter((one) => one.checkVisibility() && !one.closest('[role=alert]')).map((one) => {
        const { x, y } = one.getBoundingClientRect();
        return `${one.tagName} ${one.getAttribute('aria-label') ?? one.textContent}: ${Math.round(x + scrollX)}, ${Math.round(y + scrollY)}`;
    });
}

const refusal = (status, ...pointers) => (route) => (route.request().method() === 'GET' ? route.continue() : route.fulfill({
    status, contentType: 'application/problem+json',
    body: JSON.stringify({ type: '/problems/none', title: 'Refused', status, request_id: '01932f50-02ab-7c11-8a3e-9d1b2c3d4e5f', errors: pointers.map((pointer) => ({ pointer, detail: 'is taken' })) }),
}));

/**
 * The form's button is pressed, and where there is an address, it is answered from there. `wrong` is the label of the field that has the
 * focus then; where none is, the button has it again. Nothing is elsewhere than before.
 */
async function assert_refused(page, within, button, wrong, url) {
    const before = await page.evaluate(places);
    await Promise.all([url && page.waitForResponse(url), within.getByRole('button', { name: button }).last().click()]);
    if (wrong) {
        await page.waitForFunction((label) => document.activeElement.matches('[aria-invalid=true]') && document.activeElement.labels?.[0]?.textContent === label, wrong);
    } else {
        await within.getByRole('alert').getByText('Something went wrong on our side').waitFor();
        await page.waitForFunction(() => document.activeElement.matches('button'));
    }
    assert.deepEqual(await page.evaluate(places), before);
}

/** Opens a form, sends it as it is, then filled in to a server that complains of fields, and to one that has broken, twice. */
async function refuse(page, { path, opener, button, empty, fields, url, pointers, wrong }) {
    await page.goto(path);
    if (opener) await page.getByRole('button', { name: opener }).click();
    const within = opener ? page.getByRole('dialog') : page.getByRole('main');
    await within.getByRole('button', { name: button }).waitFor();
    await all_there(page);
    await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== 'running'));
    if (empty) await assert_refused(page, within, button, empty);
    for (const [label, text] of Object.entries(fields)) await within.getByLabel(label, { exact: true }).fill(text);
    await page.route(url, refusal(422, ...pointers));
    await assert_refused(page, within, button, wrong, url);
    await page.unroute(url);
    await page.route(url, refusal(500));
    await assert_refused(page, within, button, null, url);
    await assert_refused(page, within, button, null, url);
    await page.unroute(url);
}

const ADDRESS = { Recipient: 'Ada', 'Street and number': 'Quay 1', 'Postal code': '0', City: 'Kiel', Country: 'DE' };

const ENTRY = [
    { path: '/sign-in', button: 'Sign in', empty: 'Email', fields: { Email: 'ada@example.com', Password: 'x' }, url: '**/auth/login', pointers: ['/password'], wrong: 'Password' },
    { path: '/register', button: 'Create account', empty: 'Name', fields: { Name: 'Ada', Email: 'ada@example.com', Password: 'long enough' }, url: '**/auth/register', pointers: ['/password', '/email'], wrong: 'Email' },
];
const INSIDE = [
    { path: '/account', button: 'Save', fields: { Name: 'Ada', Email: 'ada@example.com' }, url: '**/users/me', pointers: ['/email'], wrong: 'Email' },
    { path: '/account', button: 'Change password', empty: 'Current password', fields: { 'Current password': 'x', 'New password': 'long enough' }, url: '**/auth/password', pointers: ['/new_password'], wrong: 'New password' },
    { path: '/functions/new', button: 'Deploy', empty: 'Name', fields: { Name: 'greet' }, url: '**/api/v1/functions', pointers: ['/memory_mb'], wrong: 'Memory, MB' },
    { path: '/checkout', button: /^Pay/, fields: ADDRESS, url: '**/api/v1/orders', pointers: ['/shipping_address/postal_code'], wrong: 'Postal code' },
    { path: '/admin/products', opener: 'Add a product', button: 'Save', empty: 'Sku', fields: { Sku: 'MUG', Name: 'Mug', Price: '1' }, url: '**/api/v1/products', pointers: ['/sku', '/unit_price'], wrong: 'Sku' },
];

test('what is refused, by the form or by the server: the first wrong field has the focus, and nothing moves', options, async () => {
    const desk = await visitor(browser, shop, { viewport: PHONE, expected: [/422|500/] });
    const { page } = desk;
    for (const form of ENTRY) await refuse(page, form);
    await sign_in(desk, boss.email, boss.password);
    await add_to_basket(desk, mug);
    for (const form of INSIDE) await refuse(page, form);
    await page.setViewportSize(DESKTOP);
    for (const form of INSIDE.slice(0, 2)) await refuse(page, form);
    await leave(desk);
});

/** Runs in the page: whether all of what has the focus can be seen: nothing lies over its middle. */
function focus_is_seen() {
    const one = document.activeElement;
    const { x, y, width, height } = one.getBoundingClientRect();
    const top = document.elementFromPoint(x + width / 2, y + height / 2);
    return y >= 0 && Math.floor(y + height) <= innerHeight && (top === null || one.contains(top) || top.contains(one));
}

/** What does not let its text be seen whole, though it neither scrolls nor says so by dots. */
function cut_off() {
    const leaf = (one) => [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '');
    return [...document.querySelectorAll('main *, header *')].filter((one) => {
        const { overflowX, overflowY, textOverflow, webkitLineClamp, clipPath } = getComputedStyle(one);
        const hides = [overflowX, overflowY].includes('hidden') && textOverflow !== 'ellipsis' && webkitLineClamp === 'none' && clipPath === 'none';
        return hides && leaf(one) && one.offsetWidth > 4 && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1);
    }).map((one) => one.textContent.slice(0, 40));
}

/** Every page, an administrator's too, in a browser of some kind. */
async function read_all(kind, check) {
    const desk = await visitor(browser, shop, kind);
    const { page } = desk;
    const visit = async ([name, path, ready]) => {
        await page.goto(path);
        await ready(page);
        await all_there(page);
        await check(page, name);
    };
    for (const place of OPEN) await visit(place);
    await sign_in(desk, boss.email, boss.password);
    for (const place of pages_of(world)) await visit(place);
    await add_to_basket(desk, mug);
    for (const place of FULL_BASKET) await visit(place);
    await leave(desk);
}

test('a window of 320 pixels, as on a screen at 400 %: nothing is wider, nothing with the focus is hidden', options, async () => {
    await read_all({ viewport: { width: 320, height: 640 } }, assert_fits);
    const one = await customer(browser, shop, { viewport: { width: 320, height: 640 } });
    const { page } = one;
    await page.goto('/orders');
    await by_text('No orders yet')(page);
    await assert_fits(page, 'orders, none');
    await add_to_basket(one, mug);
    await page.goto('/checkout');
    await page.getByRole('button', { name: /^Pay/ }).waitFor();
    await go_to(page, /^Pay /, { looks: focus_is_seen });
    await leave(one);
});

/** What readers set in their browser, and give it up by what is returned: text of twice the size; text as wide as WCAG 1.4.12 has it. */
const SETTINGS = {
    async large(page) {
        const browser_itself = await page.context().newCDPSession(page);
        await browser_itself.send('Page.setFontSizes', { fontSizes: { standard: 32, fixed: 26 } });
        return () => browser_itself.send('Page.setFontSizes', { fontSizes: { standard: 16, fixed: 13 } });
    },
    async wide(page) {
        const content = '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }';
        const style = await page.addStyleTag({ content });
        return () => style.evaluate((tag) => tag.remove());
    },
};

test('every page: targets are large enough, nothing moves for who wants no motion, large and wide text is there whole', options, async () => {
    const complaints = [];
    await read_all({}, async (page, name) => {
        await assert_accessible(page, name, ['target-size']);
        await page.waitForFunction(() => document.getAnimations().every((one) => one.playState !== 'running'
            || one.effect.getComputedTiming().endTime !== Infinity || one.effect.target.closest('[aria-label=Loading]')));
        for (const [setting, begin] of Object.entries(SETTINGS)) {
            const end = await begin(page);
            await assert_fits(page, `${name}, ${setting}`).catch((error) => complaints.push(error.message));
            complaints.push(...(await page.evaluate(cut_off)).map((text) => `${name}, ${setting}: “${text}” is cut off`));
            await end();
        }
    });
    assert.deepEqual(complaints, []);
});
