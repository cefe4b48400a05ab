/** What a notification looks like and where it leads. */
import type { IconName } from '@purser/ui';
import type { Notification } from '@purser/api';

const LOOKS: [RegExp, IconName, string][] = [
  [/payment_failed|payment\.failed/, 'alert', 'red'],
  [/order\.paid|payment\.succeeded/, 'card', 'harbor'],
  [/refund/, 'undo', 'blue'],
  [/shipped|delivered/, 'truck', 'blue'],
  [/cancelled/, 'x', 'gray'],
  [/order/, 'receipt', 'brass'],
  [/user/, 'user', 'harbor'],
];

export function lookOf(type: string): { icon: IconName; color: string } {
  const found = LOOKS.find(([pattern]) => pattern.test(type));
  return { icon: found?.[1] ?? 'bell', color: found?.[2] ?? 'harbor' };
}

/** The page that a notification is about, if there is one. */
export function linkOf(notification: Pick<Notification, 'data'>): string | null {
  const id = notification.data?.['order_id'];
  return typeof id === 'string' && /^[0-9a-f-]{36}$/i.test(id) ? `/orders/${id}` : null;
}
