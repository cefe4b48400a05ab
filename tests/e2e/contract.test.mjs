// The router against the description, in both directions; the examples of the description against its schemas; the events
// that a system sent against theirs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/system.mjs';
import { asyncapi, check_schema, event_types, openapi, operations } from '../support/contract.mjs';

test('every route is described, and every description is routed', async () => {
    const { status, stdout, stderr } = await run(['help', 'routes']);
    assert.equal(status, 0, stderr);
    const routes = stdout.trim().split('\n').map((line) => line.trim()).filter((line) => !line.startsWith('HEAD '));
    assert.deepEqual([...new Set(routes)].sort(), operations().sort());
});

test('the examples of the description are what it says', () => {
    const schemas = new Set(Object.keys(openapi.components.schemas));
    let count = 0;
    for (const item of Object.values(openapi.paths)) {
        for (const operation of Object.values(item)) {
            const media = [operation.requestBody, ...Object.values(operation.responses ?? {})]
                .map((place) => place?.content?.['application/json']).filter((m) => m?.example !== undefined && m.schema?.$ref);
            for (const { schema, example } of media) {
                const name = schema.$ref.split('/').at(-1);
                assert.ok(schemas.has(name));
                check_schema(name, example);
                count += 1;
            }
        }
    }
    assert.ok(count > 20, String(count));
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
