// The sandbox provider as a process of its own: it keeps its charges whatever happens to the shop.

import { Process, System, free_port, temporary_folder } from './system.mjs';
import { next_address, request } from './client.mjs';

export class Sandbox {
    constructor({ settings = {} } = {}) {
        this.given = settings;
        this.data = temporary_folder();
    }

    /** Starts it for a system that listens at `callback_base`. */
    async start(callback_base) {
        this.port ??= await free_port();
        this.base = `http://127.0.0.1:${this.port}`;
        this.settings = {
            PURSER_SANDBOX_LISTEN: `127.0.0.1:${this.port}`, PURSER_DATA: this.data, PURSER_ADMIN_LISTEN: 'off',
            PURSER_CALLBACK_URL: `${callback_base}/api/v1/payments/callbacks/sandbox`, ...this.given,
        };
        this.process = new Process(['run', 'sandbox'], this.settings);
        await this.process.ready(this.base);
        return this;
    }

    /** Every charge that it knows. */
    charges() {
        return charges_at(this.base);
    }
}

async function charges_at(base) {
    const rows = [];
    let cursor = null;
    do {
        const query = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
        const { body, status, text } = await request(base, 'GET', `/charges?limit=100${query}`, { unchecked: true, from: next_address() });
        if (status !== 200) throw new Error(`${status} ${text}`);
        rows.push(...body.data);
        cursor = body.next_cursor;
    } while (cursor);
    return rows;
}

/** Every charge that the provider of a system that runs already holds. */
export const charges_outside = () => charges_at(process.env.PURSER_SANDBOX_URL);

/** The provider of a system that runs already, with the charges from now on. */
export async function sandbox_outside() {
    const base = process.env.PURSER_SANDBOX_URL;
    const known = new Set((await charges_at(base)).map((charge) => charge.key));
    return { charges: async () => (await charges_at(base)).filter((charge) => !known.has(charge.key)) };
}

/** A system whose provider is a process apart: `{shop, sandbox}`. */
export async function shop_and_sandbox({ settings = {}, sandbox_settings = {}, services } = {}) {
    const sandbox = new Sandbox({ settings: sandbox_settings });
    const port = await free_port();
    const base = `http://127.0.0.1:${port}`;
    await sandbox.start(base);
    const shop = new System({ services, settings: { PURSER_LISTEN: `127.0.0.1:${port}`, PURSER_PAYMENT_PROVIDER_URL: sandbox.base, ...settings } });
    shop.base_given = base;
    return { shop, sandbox };
}
