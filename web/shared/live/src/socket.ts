/**
 * One connection to the notification socket that mends itself: back-off with jitter, resume after the last `seq` seen,
 * a new token when the old one ends. It knows nothing of tabs or React.
 */
import { parseEvent } from './messages';
import type { Connection, LiveEvent } from './messages';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const NOT_AUTHORISED = 4401;

export interface LiveSocketOptions {
  url: string;
  /** A token that counts, or null when signed out. May throw while the server is away. */
  token: () => Promise<string | null>;
  /** The token just used is refused; find a new one. */
  renew: () => Promise<unknown>;
  onEvent: (event: LiveEvent) => void;
  onState: (state: Connection) => void;
  random?: () => number;
}

export class LiveSocket {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private stopped = false;

  constructor(private readonly options: LiveSocketOptions, public lastSeq: number | null = null) {}

  start(): void {
    void this.connect();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.options.onState('off');
  }

  /** Try at once: the network is back, or somebody looks at the page again. */
  wake(): void {
    if (this.stopped || this.socket !== null) return;
    clearTimeout(this.timer);
    this.failures = 0;
    void this.connect();
  }

  /** Tells the server of a renewed token, so that the socket outlives the old one. */
  giveToken(token: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: 'token', token }));
  }

  private async connect(): Promise<void> {
    this.options.onState('connecting');
    let token: string | null;
    try {
      token = await this.options.token();
    } catch {
      this.retry();
      return;
    }
    if (token === null || this.stopped || this.socket !== null) return;
    const after = this.lastSeq === null ? '' : `?after=${this.lastSeq}`;
    const socket = new WebSocket(this.options.url + after, ['purser.v1', `bearer.${token}`]);
    this.socket = socket;
    socket.onmessage = (message) => this.receive(message.data);
    socket.onclose = (event) => this.closed(socket, event.code);
  }

  private receive(data: unknown): void {
    const event = parseEvent(data);
    if (event === null) return;
    if (event.type === 'hello') {
      this.failures = 0;
      this.lastSeq ??= event.last_seq;
      this.options.onState('open');
    }
    if (event.type === 'notification') {
      if (this.lastSeq !== null && event.notification.seq <= this.lastSeq) return;
      this.lastSeq = event.notification.seq;
    }
    this.options.onEvent(event);
  }

  private closed(socket: WebSocket, code: number): void {
    if (this.socket !== socket) return;
    this.socket = null;
    if (this.stopped) return;
    if (code === NOT_AUTHORISED) {
      this.options.onState('connecting');
      this.options.renew().then(() => this.retry(), () => this.retry());
      return;
    }
    this.retry();
  }

  private retry(): void {
    if (this.stopped) return;
    this.options.onState('waiting');
    const ceiling = Math.min(FIRST_DELAY_MS * 2 ** this.failures, LONGEST_DELAY_MS);
    this.failures += 1;
    const random = this.options.random ?? Math.random;
    this.timer = setTimeout(() => void this.connect(), ceiling * (0.5 + random() / 2));
  }
}
