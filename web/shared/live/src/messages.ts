/** The messages of the notification socket, and what tabs tell each other about it. */
import type { Notification } from '@purser/api';

export type LiveEvent =
  | { type: 'hello'; last_seq: number; unread: number }
  | { type: 'notification'; notification: Notification }
  | { type: 'unread'; count: number }
  | { type: 'read'; ids: string[] }
  | { type: 'read_all'; up_to: number };

export type Connection = 'off' | 'connecting' | 'open' | 'waiting';

const TYPES = ['hello', 'notification', 'unread', 'read', 'read_all'];

/** Null for what is not one of the known messages: an older page ignores what a newer server adds. */
export function parseEvent(text: unknown): LiveEvent | null {
  if (typeof text !== 'string') return null;
  try {
    const value = JSON.parse(text) as LiveEvent | null;
    return value !== null && typeof value === 'object' && TYPES.includes(value.type) ? value : null;
  } catch {
    return null;
  }
}
