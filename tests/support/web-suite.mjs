// How every suite in a browser begins and ends: a system with the web app, a browser, an administrator.

import { after, before } from 'node:test';
import { launch, missing } from './browser.mjs';
import { admin } from './shop.mjs';
import { web_system } from './web-shop.mjs';

/** Before the tests, `prepare` is given `{ shop, browser, boss }`. Gives the options of each test: it is skipped where no browser can run. */
export function web_suite(prepare) {
    let shop, browser;
    before(async () => {
        if (missing) return;
        shop = await web_system();
        browser = await launch();
        await prepare({ shop, browser, boss: await admin(shop) });
    });
    after(async () => {
        await browser?.close();
        await shop?.stop();
    });
    return { skip: missing };
}
