// Broken byte streams through Nginx: what a gateway has seen, what is logged and what is answered are the same requests.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { next_address, raw } from '../support/client.mjs';
import { Nginx } from '../support/nginx.mjs';
import { mutated_streams } from '../support/streams.mjs';
import { System } from '../support/system.mjs';
import { until } from '../support/wait.mjs';

const STREAMS = Number(process.env.PURSER_STREAMS ?? 500);
const SEED = 11;
const AT_ONCE = 250; // most wait for what does not come
let shop, nginx;

before(async () => {
    shop = await new System({ settings: { PURSER_TRUSTED_PROXIES: '127.0.0.1' } }).start();
    const gateway = shop.base.replace('http://', '');
    nginx = await new Nginx({
        http: `upstream gateways { server ${gateway}; keepalive 64; } upstream gateways_sticky { server ${gateway}; }`,
        servers: ['client_header_timeout 3s; client_body_timeout 3s; keepalive_timeout 3s; include server.conf;'],
    }).start();
});

after(async () => {
    await nginx?.stop();
    await shop?.stop();
});

/** The heads of the answers in what came. */
const heads = (came) => came.split(/(?=HTTP\/1\.1 (?!100)\d\d\d )/).filter((part) => part.startsWith('HTTP/1.1')).map((part) => part.split('\r\n\r\n')[0]);
const id_of = (head) => /^x-request-id: (\S+)$/im.exec(head)?.[1];

/** The ids that are in one of the lists more often than in the other. */
function differences(one, other) {
    const counts = new Map();
    for (const id of one) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const id of other) counts.set(id, (counts.get(id) ?? 0) - 1);
    return [...counts].filter(([, count]) => count !== 0);
}

test(`${STREAMS} mutated streams through Nginx: seen = logged = answered`, async () => {
    const streams = mutated_streams(SEED, STREAMS), before = shop.process.log().length, answered = [];
    let next = 0, refused = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (next < streams.length) {
            const mine = streams[next];
            next += 1;
            for (const head of heads(await raw(nginx.bases[0], Buffer.from(mine, 'latin1'), { from: next_address(), seconds: 120 }))) {
                assert.ok(id_of(head), `an answer without its id: ${head}`);
                // A gateway says what is left of a limit, whatever it answers; Nginx does not.
                if (/^ratelimit: /im.test(head)) answered.push(id_of(head));
                else refused += 1;
            }
        }
    }));
    assert.ok(answered.length > 50 && refused > 0, `${answered.length} answered, ${refused} refused`);
    const passed = () => nginx.log().filter((line) => line.upstream_status).map((line) => line.request_id);
    const seen = () => shop.process.log().slice(before).filter((line) => line.event === 'request').map((line) => line.request_id);
    await until('all that was answered is logged, and nothing else', () => {
        const apart = [differences(passed(), answered), differences(seen(), answered)];
        assert.deepEqual(apart, [[], []], 'what Nginx passed on, and what the gateway saw, beside what was answered');
        return true;
    });
});
