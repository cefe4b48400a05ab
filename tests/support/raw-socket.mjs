// A WebSocket client below any library: it can stop reading, and it says what lies between it and the end of the stream.

import crypto from 'node:crypto';
import net from 'node:net';
import { once } from 'node:events';
import { within } from './wait.mjs';

/** A masked ping; the mask is zeros. */
const PING = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125, 'p')]);

/** Length of the frame at the start of `bytes` with its header, or 0 when more is needed: `[header, payload]`. */
function frame_sizes(bytes) {
    if (bytes.length < 2) return null;
    const short = bytes[1] & 127;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < header) return null;
    return [header, short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))];
}

export class RawSocket {
    constructor(base, { token, from, after = 0 }) {
        const { hostname, port, host } = new URL(base);
        this.chunks = [];
        this.socket = net.connect({ host: hostname, port, localAddress: from });
        this.socket.on('error', () => {});
        this.socket.on('data', (data) => this.chunks.push(data));
        this.ended = new Promise((resolve) => { this.socket.on('close', resolve); });
        this.socket.write(`GET /api/v1/notifications/ws?after=${after} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
            + `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n`
            + `Sec-WebSocket-Protocol: purser.v1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    }

    /** Waits for the 101 and reads no more from then on. */
    async stop_reading() {
        await within('the upgrade is answered', once(this.socket, 'data'));
        this.socket.pause();
        return this;
    }

    /** Sends so many pings, unless some wait to be taken still. */
    ping(count) {
        if (!this.socket.writableLength) this.socket.write(Buffer.concat(Array.from({ length: count }, () => PING)));
    }

    /** Reads on to the end: the frames' `{opcode, payload}`. */
    async read_to_end() {
        this.socket.resume();
        await within('the server ends the connection', this.ended);
        const bytes = Buffer.concat(this.chunks);
        let rest = bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
        const frames = [];
        for (let sizes; (sizes = frame_sizes(rest)) && rest.length >= sizes[0] + sizes[1];) {
            frames.push({ opcode: rest[0] & 15, payload: rest.subarray(sizes[0], sizes[0] + sizes[1]) });
            rest = rest.subarray(sizes[0] + sizes[1]);
        }
        return frames;
    }
}
