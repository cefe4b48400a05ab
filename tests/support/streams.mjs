// Byte streams of requests, broken in many ways; the same for the same seed.

import { random } from './wait.mjs';

let dice;
const below = (n) => Math.floor(dice() * n);
const pick = (list) => list[below(list.length)];

/** One good request of a stream, with a name of its own. */
function good(name) {
    const body = '{"email":"nobody@example.com","password":"not a password"}';
    return pick([
        `GET /api/v1/products HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\n\r\n`,
        `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nAccept: */*\r\n\r\n`,
        `HEAD /api/v1/products?limit=1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\n\r\n`,
        `POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        `POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${name}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${body.slice(0, 5)}\r\n${(body.length - 5).toString(16)}\r\n${body.slice(5)}\r\n0\r\n\r\n`,
    ]);
}

const SPLICES = ['\r\n', '\n', '\r', ' ', '\t', ':', '\0', '0\r\n\r\n', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 5\r\n', 'Content-Length: 0\r\n',
    'GET / HTTP/1.1\r\n', 'Expect: 100-continue\r\n', 'Connection: close\r\n', 'Upgrade: websocket\r\nConnection: Upgrade\r\n', '\xff\xfe', ';a=b', ','];

/** Breaks bytes in one of many ways, or leaves them whole. */
function mutate(text) {
    const at = below(text.length);
    switch (below(6)) {
        case 0: return text;
        case 1: return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
        case 2: return text.slice(0, at) + pick(SPLICES) + text.slice(at);
        case 3: return text.slice(0, at) + text.slice(at + 1 + below(8));
        case 4: return text.slice(0, at) + text.slice(below(at + 1), at) + text.slice(at);
        default: return text.slice(0, at);
    }
}

/** Up to five requests, of which some are broken; each is named `s<number>-<i>` by its X-Request-Id. */
function stream(number) {
    let text = '';
    for (let i = 0; i <= below(4); i += 1) text += good(`s${number}-${i}`);
    for (let i = 0; i < below(3); i += 1) text = mutate(text);
    return text;
}

export function mutated_streams(seed, count) {
    dice = random(seed);
    return Array.from({ length: count }, (_, i) => stream(i));
}
