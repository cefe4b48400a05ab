// Connections that are cut with no word to either end, under a stream of orders: a proxy stands before each engine, and before each service
// for the gateways, and forgets what it carries. Nothing that was acknowledged is lost, nothing is charged twice, and everything comes
// back by itself.

import { after, before, test } from 'node:test';
import { admins, cluster, cluster_with, engines as engines_script } from '../support/engines.mjs';
import { OrderStream, is_missed, readiness } from '../support/order-stream.mjs';
import { SilentProxy } from '../support/silent-proxy.mjs';
import { until } from '../support/wait.mjs';

const ENGINES = { postgres: 'DATABASE', rabbitmq: 'QUEUE', kafka: 'STREAM', redis: 'CACHE' };
const MISSED = { rabbitmq: 'queue', kafka: 'stream', redis: 'cache' };
const SERVICES = ['users', 'orders', 'payments', 'notifications'];

const stream = new OrderStream(), engines = {}, services = {};
const names = Object.keys(admins()).filter((name) => !name.startsWith('sandbox'));

/** Every process of the cluster anew, with these settings, those of gateways among them. One that ends because its database was slow is tried again. */
async function restart(settings = {}, of_gateways = {}) {
    await Promise.all(names.map((name) => cluster('end', name)));
    await Promise.all(names.map((name) => until(`${name} is up`, async () => {
        await cluster_with({ ...settings, ...(name.startsWith('gateway') && of_gateways) }, 'up', name);
        return true;
    }, { seconds: 180 })));
}

async function proxies_of_engines() {
    const settings = {}, { stdout } = await engines_script('env');
    for (const [engine, setting] of Object.entries(ENGINES)) {
        const url = new URL(new RegExp(`^PURSER_${setting}_URL=(.*)$`, 'm').exec(stdout)[1]), port = Number(url.port);
        // Kafka's clients go where it says that it is; see scripts/engines.
        engines[engine] = await (engine === 'kafka' ? new SilentProxy(port + 2, port + 3) : new SilentProxy(port)).start();
        settings[`PURSER_${setting}_URL`] = url.href.replace(`:${port}`, `:${engines[engine].port}`);
    }
    return settings;
}

async function proxies_of_services() {
    const settings = {};
    for (const service of SERVICES) {
        const ports = [1, 2].map((n) => Number(new URL(admins()[`${service}-${n}`]).port) - 100); // as scripts/cluster has them
        services[service] = await Promise.all(ports.map((port) => new SilentProxy(port).start()));
        settings[`PURSER_${service.toUpperCase()}_URL`] = services[service].map(({ port }) => `http://127.0.0.1:${port}`).join(',');
    }
    return settings;
}

before(async () => {
    await restart(await proxies_of_engines(), await proxies_of_services());
    await stream.start();
});

after(async () => {
    stream.stop();
    await restart();
    for (const proxy of [...Object.values(engines), ...Object.values(services).flat()]) proxy.stop();
});

for (const engine of Object.keys(ENGINES)) {
    test(`connections to ${engine} are cut without a word`, async (context) => {
        engines[engine].cut();
        context.diagnostic(`whole again ${await stream.whole_and_ready()} ms after the cut`);
    });

    test(`${engine} is behind a network that carries nothing, and then only what is new`, async (context) => {
        engines[engine].fall_silent();
        try {
            await until('it is noticed', async () => (MISSED[engine] ? is_missed(MISSED[engine]) : (await readiness('orders-1')).status === 'unavailable'));
            if (MISSED[engine]) await stream.orders_are_taken();
        } finally {
            engines[engine].speak();
        }
        context.diagnostic(`whole again ${await stream.whole_and_ready()} ms after there was a network`);
    });
}

for (const service of SERVICES) {
    test(`connections from gateways to ${service} are cut without a word`, async (context) => {
        for (const proxy of services[service]) proxy.cut();
        context.diagnostic(`whole again ${await stream.whole_and_ready()} ms after the cut`);
    });

    test(`one of ${service} is behind a network that carries nothing`, async (context) => {
        const [first] = services[service];
        first.fall_silent();
        try {
            context.diagnostic(`whole ${await stream.whole_again()} ms after it fell silent`);
        } finally {
            first.speak();
        }
        context.diagnostic(`whole ${await stream.whole_again()} ms after there was a network`);
    });
}

test('in the end nothing is lost and nothing happened twice', async (context) => {
    context.diagnostic(`${await stream.check()} orders`);
});
