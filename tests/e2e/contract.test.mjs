// The router against the description, in both directions; the examples of the description against its schemas; the events
// that a system sent against theirs.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { run } from '../support/system.mjs';
import { asyncapi, check_place, event_types, openapi, operations } from '../support/contract.mjs';

test('every route is described, and every description is routed', async () => {
    const { status, stdout, stderr } = await run(['help', 'routes']);
    assert.equal(status, 0, stderr);
    const routes = stdout.trim().split('\n').map((line) => line.trim()).filter((line) => !line.startsWith('HEAD '));
    assert.deepEqual([...new Set(routes)].sort(), operations().sort());
});

test('every command says how it is used', async () => {
    const { status, stdout } = await run(['help']);
    assert.equal(status, 0);
    const commands = new Set([...stdout.matchAll(/^  purser ([a-z]+)/gm)].map((match) => match[1]));
    assert.ok(commands.size >= 10, stdout);
    for (const command of commands) {
        for (const asked of [[command, '--help'], [command, '-h'], ['help', command], [command, '--listen', 'nowhere', '--help', 'x']]) {
            const help = await run(asked);
            assert.equal(help.status, 0, `${asked}: ${help.stderr}`);
            assert.ok(help.stdout.startsWith(`purser ${command}`), `${asked}: ${help.stdout}`);
        }
    }
});

/** The examples of a parameter, a header or a body. */
const examples_of = ({ example, examples = {} }) => [example, ...Object.values(examples).map(({ value }) => value)].filter((one) => one !== undefined);

/** Every place of the description that has a schema, with its examples. */
function places_with_examples(node, place = []) {
    if (node === null || typeof node !== 'object') return [];
    if (node.schema) return examples_of(node).map((example) => ({ place, example }));
    return Object.entries(node).flatMap(([key, below]) => places_with_examples(below, [...place, key]));
}

test('the examples of the description are what it says', () => {
    const places = places_with_examples(openapi);
    for (const { place, example } of places) check_place([...place, 'schema'], example);
    const kinds = new Set(places.map(({ place }) => place.at(-2)));
    assert.deepEqual([...kinds].sort(), ['content', 'headers', 'parameters']);
});

test('every body has an example', () => {
    const bodies = operations().flatMap((name) => {
        const [method, path] = name.split(' ');
        const { requestBody, responses } = openapi.paths[path][method.toLowerCase()];
        const answers = Object.values(responses).map((answer) => (answer.$ref ? openapi.components.responses[answer.$ref.split('/').at(-1)] : answer));
        return [requestBody, ...answers].flatMap((place) => Object.entries(place?.content ?? {})).map(([type, body]) => ({ name, type, count: examples_of(body).length }));
    });
    assert.ok(bodies.length > 400);
    assert.deepEqual(bodies.filter(({ type, count }) => /json/.test(type) && count === 0), []);
});

test('the names that the services share are the described ones', () => {
    const names = fs.readFileSync(new URL('../../src/contracts/names.h', import.meta.url), 'utf8');
    const named = (prefix) => [...names.matchAll(new RegExp(`#define ${prefix}_\\w+ "([^"]+)"`, 'g'))].map((m) => m[1]).sort();
    assert.deepEqual(named('EVENT'), event_types().map((type) => `purser.${type}`).sort());
    const channels = Object.keys(asyncapi.channels).filter((name) => name !== 'notifications-socket').sort();
    assert.deepEqual([...named('QUEUE'), ...named('TOPIC')].sort(), channels);
});

test('the message description and the event schemas name the same types', () => {
    const described = Object.values(asyncapi.components.messages).map((m) => m.name).filter((name) => name.startsWith('purser.'));
    assert.deepEqual(described.sort(), event_types().map((type) => `purser.${type}`).sort());
    for (const channel of Object.values(asyncapi.channels)) {
        for (const { $ref } of Object.values(channel.messages)) {
            assert.ok(asyncapi.components.messages[$ref.split('/').at(-1)], $ref);
        }
    }
});
