// Many requests at once from few descriptors: each connection sends all of its requests before it reads an answer.

import net from 'node:net';
import { within } from './wait.mjs';

/** Takes whole answers off `bytes`: `[answers, rest]`, each answer as { status, headers, text }. */
function take_answers(bytes) {
    const answers = [];
    for (;;) {
        const head_end = bytes.indexOf('\r\n\r\n');
        if (head_end < 0) return [answers, bytes];
        const [first, ...lines] = bytes.toString('latin1', 0, head_end).split('\r\n');
        const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
        const end = head_end + 4 + Number(headers['content-length'] ?? NaN);
        if (Number.isNaN(end)) throw new Error(`an answer without a length: ${first}`);
        if (bytes.length < end) return [answers, bytes];
        answers.push({ status: Number(first.split(' ')[1]), headers, text: bytes.toString('utf8', head_end + 4, end) });
        bytes = bytes.subarray(end);
    }
}

function converse(base, request, count, from) {
    const { hostname, port } = new URL(base);
    return new Promise((resolve, reject) => {
        const socket = net.connect({ host: hostname, port, localAddress: from });
        const answers = [];
        let rest = Buffer.alloc(0);
        socket.on('error', reject);
        socket.on('close', () => reject(new Error(`closed after ${answers.length} of ${count} answers`)));
        socket.on('data', (data) => {
            try {
                const [whole, left] = take_answers(rest.length ? Buffer.concat([rest, data]) : data);
                answers.push(...whole);
                rest = left;
            } catch (error) {
                reject(error);
                socket.destroy();
            }
            if (answers.length < count) return;
            resolve(answers);
            socket.destroy();
        });
        socket.write(request.repeat(count));
    });
}

/** The answers to `count` times the same POST on each of `connections`; every request is answered, or it throws. */
export async function pipelined(base, path, { token, json, connections, count, from, seconds = 300 }) {
    const body = JSON.stringify(json);
    const request = `POST ${path} HTTP/1.1\r\nHost: ${new URL(base).host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
        + `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const all = Array.from({ length: connections }, () => converse(base, request, count, from));
    return (await within(`${connections * count} requests are answered`, Promise.all(all), seconds)).flat();
}
