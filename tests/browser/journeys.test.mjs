// Whole journeys through the web app, in a real browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { all_pages, product, PASSWORD } from '../support/shop.mjs';
import { until } from '../support/wait.mjs';
import { add_to_basket, by_api, customer, leave, member, order, order_id, sign_in, sign_up, status, to_checkout, visitor } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';

let browser, shop, boss, mug, coat;

const options = web_suite(async (suite) => {
    ({ browser, shop, boss } = suite);
    mug = await product(boss, { stock: 100000 });
    coat = await product(boss, { unit_price: 123450 });
});

/** Runs in the page: `open_sockets()` tells how many WebSockets it holds. */
function count_sockets() {
    const made = [];
    globalThis.WebSocket = class extends globalThis.WebSocket {
        constructor(...given) {
            super(...given);
            made.push(this);
        }
    };
    globalThis.open_sockets = () => made.filter((socket) => socket.readyState === 1).length;
}

const bell = (page, count) => page.getByRole('button', { name: count === 0 ? 'Notifications' : `Notifications, ${count} unread`, exact: true });

test('register, order, paid before one\'s eyes, receipt', options, async () => {
    const ada = await visitor(browser, shop);
    await sign_up(ada);
    const pay = await to_checkout(ada, mug);
    await ada.page.evaluate(() => { globalThis.same_page = true; });
    await pay.dblclick();
    const id = await order_id(ada);
    await status(ada, 'Paid');
    await ada.page.getByRole('heading', { name: 'Receipt' }).waitFor();
    assert.equal(await ada.page.evaluate(() => globalThis.same_page), true, 'the page was loaded anew');
    const api = await by_api(ada);
    assert.deepEqual((await all_pages(api, '/orders')).map((one) => one.id), [id], 'a double click makes one order');
    await ada.page.goto('/notifications');
    await ada.page.getByText(/Receipt for order/).waitFor();
    await leave(ada);
});

test('a declined card, then another', options, async () => {
    const ada = await customer(browser, shop);
    await order(ada, mug, 'Visa ending 0002');
    await ada.page.getByRole('heading', { name: 'Try another way to pay' }).waitFor();
    assert.ok(await ada.page.getByText('The card was declined.').first().isVisible());
    await ada.page.getByRole('button', { name: /^Pay/ }).dblclick();
    await status(ada, 'Paid');
    await ada.page.getByText('Succeeded').waitFor();
    await leave(ada);
});

test('a paid order is cancelled and its money comes back, in the reader\'s own notation', options, async () => {
    const ada = await customer(browser, shop, { locale: 'de-DE' });
    await order(ada, coat);
    await status(ada, 'Paid');
    await ada.page.getByRole('button', { name: 'Cancel order' }).click();
    await ada.page.getByRole('dialog').getByRole('button', { name: 'Cancel the order' }).click();
    await status(ada, 'Cancelled');
    await ada.page.getByText('Refunded', { exact: true }).waitFor();
    await ada.page.goto('/notifications');
    await ada.page.getByRole('main').getByText(/We returned 1\.234,50\s€ to you/).waitFor();
    await ada.page.getByRole('main').getByText(/Total: 1\.234,50\s€/).waitFor();
    await leave(ada);
});

test('two tabs share one socket and agree; so do two devices', options, async () => {
    const ada = await visitor(browser, shop);
    await ada.context.addInitScript(count_sockets);
    await sign_up(ada);
    await bell(ada.page, 1).waitFor();
    const tab = await ada.context.newPage();
    await tab.goto('/notifications');
    await bell(tab, 1).waitFor();
    const phone = await visitor(browser, shop);
    await sign_in(phone, ada.email, PASSWORD, '/notifications');
    await bell(phone.page, 1).waitFor();
    await order(ada, mug);
    await status(ada, 'Paid');
    await tab.getByRole('main').getByText(/Receipt for order/).waitFor();
    const api = await by_api(ada);
    const { count } = await until('the count', async () => (await api.get('/notifications/unread-count')).body);
    await Promise.all([tab, phone.page].map((page) => bell(page, count).waitFor()));
    await tab.getByRole('main').getByRole('button', { name: 'Mark all as read' }).click();
    await Promise.all([tab, ada.page, phone.page].map((page) => bell(page, 0).waitFor()));
    const open = await Promise.all([tab, ada.page].map((page) => page.evaluate(() => globalThis.open_sockets())));
    assert.equal(open[0] + open[1], 1, 'one socket a browser');
    await ada.page.close();
    await boss.post(`/orders/${(await all_pages(api, '/orders'))[0].id}/ship`);
    await bell(tab, 1).waitFor();
    await leave(ada);
    await leave(phone);
});

test('offline and back: nothing is lost', options, async () => {
    const ada = await customer(browser, shop, { expected: [/ERR_INTERNET_DISCONNECTED/] });
    const id = await order(ada, mug);
    await status(ada, 'Paid');
    await ada.context.setOffline(true);
    await ada.page.getByText(/You are offline/).waitFor();
    await boss.post(`/orders/${id}/ship`);
    await ada.context.setOffline(false);
    await status(ada, 'Shipped');
    await ada.page.getByText(/You are offline/).waitFor({ state: 'hidden' });
    await leave(ada);
});

test('a session ended elsewhere ends here at once, and the basket stays', options, async () => {
    const ada = await customer(browser, shop, { expected: [/401/] });
    await add_to_basket(ada, mug);
    await ada.page.goto('/checkout');
    await ada.page.getByLabel('City').fill('Kiel');
    const api = await ada.person.login();
    const sessions = (await api.get('/auth/sessions')).body.data;
    for (const session of sessions.filter((one) => !one.current)) await api.delete(`/auth/sessions/${session.id}`);
    await ada.page.getByText('You were signed out').waitFor();
    await ada.page.getByLabel(/^Email/).fill(ada.email);
    await ada.page.getByLabel(/^Password/).fill(PASSWORD);
    await ada.page.getByRole('button', { name: 'Sign in' }).click();
    await ada.page.getByRole('button', { name: /^Pay/ }).waitFor();
    assert.equal(await ada.page.getByLabel('City').inputValue(), 'Kiel', 'what was typed is still there');
    await leave(ada);
});

test('signing out in one tab signs out the other', options, async () => {
    const ada = await customer(browser, shop);
    const tab = await ada.context.newPage();
    await ada.page.goto('/');
    await tab.goto('/account');
    await tab.getByText('This device').waitFor();
    await ada.page.getByRole('button', { name: /Account of/ }).click();
    await ada.page.getByRole('menuitem', { name: 'Sign out' }).click();
    await tab.getByRole('heading', { name: 'Welcome back' }).waitFor();
    await ada.page.reload();
    await ada.page.getByRole('heading', { name: 'Welcome back' }).waitFor();
    await leave(ada);
});

test('a reload keeps the session, by the cookie alone', options, async () => {
    const ada = await visitor(browser, shop);
    await sign_up(ada);
    await ada.page.goto('/account');
    await ada.page.reload();
    await ada.page.getByText('This device').waitFor();
    const stored = await ada.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.doesNotMatch(stored, /eyJ|refresh|__Secure/, 'no token within reach of scripts');
    const [cookie] = await ada.context.cookies(`${shop.base}/api/v1/auth/refresh`);
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], ['__Secure-purser', true, true, 'Strict', '/api/v1/auth']);
    await leave(ada);
});

test('an administrator ships, delivers and refunds; the buyer watches', options, async () => {
    const ada = await customer(browser, shop);
    const id = await order(ada, mug);
    await status(ada, 'Paid');
    const desk = await member(browser, shop, boss);
    await desk.page.goto(`/orders/${id}`);
    await desk.page.getByRole('button', { name: 'Mark as shipped' }).click();
    await status(ada, 'Shipped');
    await desk.page.getByRole('button', { name: 'Mark as delivered' }).click();
    await status(ada, 'Delivered');
    await desk.page.getByRole('button', { name: 'Refund' }).click();
    await desk.page.getByLabel(/^Amount in/).fill('5');
    await desk.page.getByRole('dialog').getByRole('button', { name: 'Refund' }).click();
    await ada.page.getByText('Partly refunded').waitFor();
    await leave(ada);
    await leave(desk);
});

test('a function deployed in the browser changes the receipt', options, async () => {
    const desk = await member(browser, shop, boss);
    await desk.page.goto('/functions/format-order');
    const editor = desk.page.getByRole('textbox', { name: 'Source' });
    await editor.waitFor();
    await editor.click();
    await desk.page.keyboard.press('Control+A');
    await desk.page.keyboard.insertText('function handler(order) { return { title: "Thank you, captain", body: "Total " + order.total }; }');
    await desk.page.getByRole('button', { name: 'Deploy a new version' }).click();
    await desk.page.getByText(/answers as version/).waitFor();
    const ada = await customer(browser, shop);
    await order(ada, mug);
    await ada.page.goto('/notifications');
    await ada.page.getByRole('main').getByText('Thank you, captain').waitFor();
    await desk.page.getByRole('tab', { name: 'Try' }).click();
    await desk.page.getByLabel('Input, as JSON').fill('{"total": 7}');
    await desk.page.getByRole('button', { name: 'Call it' }).click();
    await desk.page.getByTestId('outcome').getByText('Total 7').waitFor();
    await desk.page.getByRole('tab', { name: 'Versions' }).click();
    await desk.page.getByRole('button', { name: /^Go back to/ }).first().click();
    await desk.page.getByText('Rolled back').waitFor();
    await leave(ada);
    await leave(desk);
});

test('an administrator looks somebody up and gives them rights, by keyboard', options, async () => {
    const ada = await customer(browser, shop, { expected: [/401/] });
    await ada.page.goto('/');
    await ada.page.getByRole('button', { name: /Account of/ }).waitFor();
    const { id } = ada.person;
    const desk = await member(browser, shop, boss);
    await desk.page.goto('/admin/users');
    await desk.page.getByLabel('A user’s id').fill(id);
    await desk.page.keyboard.press('Enter');
    await desk.page.getByRole('heading', { name: 'Ada Lovelace' }).waitFor();
    const give = desk.page.getByRole('button', { name: /^Make an administrator/ });
    const dialog = desk.page.getByRole('dialog');
    await give.focus();
    await desk.page.keyboard.press('Enter');
    await dialog.waitFor();
    await desk.page.waitForFunction(() => document.querySelector('[role=dialog]')?.contains(document.activeElement));
    await desk.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await desk.page.waitForFunction(() => /^Make an administrator/.test(document.activeElement?.textContent ?? ''));
    await desk.page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Make an administrator' }).press('Enter');
    await desk.page.getByText('Administrator', { exact: true }).waitFor();
    await ada.page.getByRole('link', { name: 'Sign in' }).waitFor();
    await leave(ada);
    await leave(desk);
});
