/** What the server says as it happens: one socket a browser, shared by its tabs. */
export { startLive, useLiveConnection, onLive, leadsLive } from './live';
export { LiveSocket } from './socket';
export type { LiveEvent, Connection } from './messages';
