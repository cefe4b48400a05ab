// A TCP proxy that can cut connections without a word to either end, as a network does that loses its memory of them: nothing is
// closed, nothing is carried.

import net from 'node:net';

export class SilentProxy {
    constructor(to_port, port = 0) {
        Object.assign(this, { to_port, port, silent: false, pairs: new Set(), sockets: new Set() });
    }

    async start() {
        this.server = net.createServer({ allowHalfOpen: true }, (near) => this.accept(near));
        await new Promise((resolve, reject) => {
            this.server.once('error', reject);
            this.server.listen(this.port, '127.0.0.1', resolve);
        });
        this.port = this.server.address().port;
        return this;
    }

    accept(near) {
        const far = net.connect({ port: this.to_port, host: '127.0.0.1', allowHalfOpen: true }), pair = [near, far];
        this.pairs.add(pair);
        for (const socket of pair) this.sockets.add(socket);
        for (const [from, to] of [pair, [far, near]]) {
            from.setNoDelay(true);
            from.pipe(to);
            from.on('error', () => to.destroy());
            from.on('close', () => { to.destroy(); this.pairs.delete(pair); });
        }
        if (this.silent) this.mute(pair);
    }

    /** Neither end ever hears of the other again; what one of them closes, only the proxy notices. */
    mute(pair) {
        for (const socket of pair) {
            socket.unpipe();
            for (const event of ['close', 'error']) socket.removeAllListeners(event);
            socket.on('error', () => {});
            socket.resume(); // and to nowhere
            socket.on('end', () => socket.destroy());
        }
        this.pairs.delete(pair);
    }

    /** The connections that there are go mute for ever; new ones work. */
    cut() {
        for (const pair of this.pairs) this.mute(pair);
    }

    /** New ones go mute too, until `speak`: the ones that were cut stay so. */
    fall_silent() {
        this.silent = true;
        this.cut();
    }

    speak() {
        this.silent = false;
    }

    stop() {
        this.server.close();
        for (const socket of this.sockets) socket.destroy();
    }
}
