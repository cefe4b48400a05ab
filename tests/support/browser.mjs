// A real browser on the web app: Debian's Chromium by playwright-core, with axe and pictures. Its shell without windows, the one that
// Playwright runs too, takes two thirds of the time that the browser for people takes, which is used where it alone is there.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';

const root = new URL('../../', import.meta.url).pathname;
const axe_source = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const executable = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((file) => fs.existsSync(file));

export const web_folder = path.join(root, 'build/web');
const screenshots = path.join(root, 'build/screenshots');
/** Why no browser test can run here, or undefined. */
export const missing = !executable ? 'no Chromium (Debian: apt install chromium-headless-shell)'
    : !fs.existsSync(path.join(web_folder, 'manifest.json')) ? 'the web app is not built (scripts/web)' : undefined;

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'];
export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 860 };

export function launch() {
    return chromium.launch({ executablePath: executable, args: FLAGS });
}

/** One person's browser: a context of its own whose pages complain about errors and requests to anywhere else. */
export async function open_browser(browser, base, { viewport = DESKTOP, scheme = 'light', locale = 'en-GB', expected = [], state } = {}) {
    const context = await browser.newContext({ baseURL: base, viewport, colorScheme: scheme, locale, reducedMotion: 'reduce', storageState: state });
    context.setDefaultTimeout(60_000);
    const complaints = [];
    context.on('request', (request) => {
        const { origin, protocol } = new URL(request.url());
        if (origin !== base && !['data:', 'blob:'].includes(protocol)) complaints.push(`request to ${request.url()}`);
    });
    context.on('weberror', (error) => complaints.push(`error in the page: ${error.error()}`));
    context.on('console', (message) => {
        const text = message.text();
        if (message.type() === 'error' && !expected.some((pattern) => pattern.test(text))) complaints.push(`console: ${text} (${message.location().url})`);
    });
    return { context, complaints, page: await context.newPage() };
}

/** Nothing that axe calls serious or critical, by WCAG 2.2 AA or by the rules named. */
export async function assert_accessible(page, where, rules) {
    if (!await page.evaluate(() => 'axe' in globalThis)) await page.evaluate(axe_source);
    const found = await page.evaluate((only) => globalThis.axe.run(document, { runOnly: only, resultTypes: ['violations'] }),
        rules ?? ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']);
    const serious = found.violations.filter((one) => ['serious', 'critical'].includes(one.impact));
    const lines = serious.map((one) => `${one.id}: ${one.nodes.slice(0, 4).map((node) => `${node.target} (${node.failureSummary?.split('\n')[1]?.trim()})`).join('; ')}`);
    assert.deepEqual(lines, [], `axe at ${where}`);
}

/** The page must not be wider than the window. */
export async function assert_fits(page, where) {
    const [wide, window_width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= window_width, `${where} is ${wide} wide in a window of ${window_width}`);
}

/** The whole page, or the window with its dialog, into build/screenshots. */
export async function screenshot(page, name) {
    fs.mkdirSync(screenshots, { recursive: true });
    await page.evaluate(() => scrollTo(0, 0));
    const fullPage = await page.getByRole('dialog').count() === 0; // which lies over the window, not over all of the page
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage, animations: 'disabled' });
}
