// Every page, light and dark, at the desk and on the phone: nothing serious for axe, nothing wider than the window, nothing
// that jumps; a picture of each in build/screenshots. `make pictures` does the same with every state of them, in all four forms.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert_accessible, assert_fits, DESKTOP, PHONE, screenshot } from '../support/browser.mjs';
import { all_there, FULL_BASKET, furnish, in_each_scheme, OPEN, pages_of, watch_shifts } from '../support/web-pages.mjs';
import { leave, sign_in, visitor } from '../support/web-shop.mjs';
import { web_suite } from '../support/web-suite.mjs';

const LARGEST_SHIFT = 0.1;
let browser, shop, world;

const options = web_suite(async (suite) => {
    ({ browser, shop } = suite);
    world = { ...suite, ...await furnish(suite) };
});

/** The page as it stands, light and then dark. */
async function look_at(one, name, strict = true) {
    const { page, device } = one;
    await all_there(page);
    const shifts = await page.evaluate(() => globalThis.shifts);
    if (strict) assert.ok(shifts < LARGEST_SHIFT, `${name} ${device} jumps: ${shifts}`);
    await in_each_scheme(page, async (scheme) => {
        await assert_accessible(page, `${name} ${device} ${scheme}`);
        if (device === 'desktop' && scheme === 'light') await screenshot(page, `${name}-desktop-light`);
    });
    await assert_fits(page, `${name} ${device}`);
}

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
    await sign_in(one, world.boss.email, world.boss.password);
    for (const place of pages_of(world)) await visit(place);
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
        if (device === 'desktop') await screenshot(one.page, 'docs-desktop-light');
        await one.page.locator('.opblock-post .opblock-summary-control').first().click();
        await one.page.locator('.opblock.is-open .responses-table').first().waitFor();
        await assert_accessible(one.page, `docs ${device}, opened`);
        await assert_fits(one.page, `docs ${device}`);
        await leave(one);
    }
});
