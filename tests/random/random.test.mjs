// Bad days of a cluster in an order that nobody chose: engines and processes are killed, started anew or frozen at random, up to two at
// once, under a stream of orders. After each day an order is placed and paid without anybody's help; in the end every promise is held
// against the logs. PURSER_RANDOM_DAYS is their number; each run prints its seed, and PURSER_RANDOM_SEED plays it again.

import { after, before, test } from 'node:test';
import { cluster, engines, signal } from '../support/engines.mjs';
import { OrderStream } from '../support/order-stream.mjs';
import { random, sleep } from '../support/wait.mjs';

const DAYS = Number(process.env.PURSER_RANDOM_DAYS ?? 40);
const SEED = Number(process.env.PURSER_RANDOM_SEED ?? Date.now() % 1_000_000);
const AWAY_MS = 3000; // at most
const ENGINES = ['postgres', 'rabbitmq', 'kafka', 'redis'];
const SERVICES = ['gateway', 'users', 'orders', 'payments', 'notifications', 'functions'];
const PROCESSES = SERVICES.flatMap((service) => [`${service}-1`, `${service}-2`]);

/** What can happen to each kind: how it goes, and how it comes back. */
const ENGINE_DAYS = {
    killed: [(name) => engines('kill', name), (name) => engines('start', name)],
    restarted: [(name) => engines('stop', name), (name) => engines('start', name)],
    frozen: [(name) => engines('pause', name), (name) => engines('resume', name)],
};
const PROCESS_DAYS = {
    killed: [(name) => cluster('kill', name), (name) => cluster('up', name)],
    restarted: [(name) => cluster('end', name), (name) => cluster('up', name)],
    frozen: [(name) => signal(name, 'SIGSTOP'), (name) => signal(name, 'SIGCONT')],
};

const dice = random(SEED), stream = new OrderStream();
const pick = (list) => list[Math.floor(dice() * list.length)];

/** An engine as often as a process, the second one another than the first. */
function victim(others) {
    const engine = dice() < 0.5, name = pick((engine ? ENGINES : PROCESSES).filter((each) => !others.includes(each)));
    const days = engine ? ENGINE_DAYS : PROCESS_DAYS, way = pick(Object.keys(days));
    return { name, way, goes: days[way][0], comes: days[way][1], away_ms: Math.floor(dice() * AWAY_MS) };
}

/** It goes, and comes back. */
async function suffer({ name, goes, comes, away_ms }) {
    await goes(name);
    await sleep(away_ms); // how long it is away is part of the day, and nothing is waited for
    await comes(name);
}

before(() => stream.start());
after(() => stream.stop());

for (let day = 1; day <= DAYS; day += 1) {
    const victims = [victim([])];
    if (dice() < 0.4) victims.push(victim([victims[0].name]));
    const what = victims.map(({ name, way, away_ms }) => `${name} is ${way} for ${away_ms} ms`).join(', ');
    test(`seed ${SEED}, day ${day}: ${what}`, async (context) => {
        await Promise.all(victims.map(suffer));
        context.diagnostic(`whole again after ${await stream.whole_again()} ms`);
    });
}

test('in the end nothing is lost and nothing happened twice', async (context) => {
    context.diagnostic(`${await stream.check()} orders`);
});
