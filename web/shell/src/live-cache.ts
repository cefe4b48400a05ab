/** Keeps what is on the screen true: an event makes the queries that it concerns stale. */
import { useEffect } from 'react';
import { onLive } from '@purser/live';
import type { LiveEvent } from '@purser/live';
import { useQueryClient } from '@purser/ui';

type Client = ReturnType<typeof useQueryClient>;

export function useLiveCache(): void {
  const client = useQueryClient();
  useEffect(() => onLive((event) => applyEvent(client, event)), [client]);
}

export function applyEvent(client: Client, event: LiveEvent): void {
  if (event.type === 'hello') client.setQueryData(['unread'], event.unread);
  if (event.type === 'unread') client.setQueryData(['unread'], event.count);
  void client.invalidateQueries({ queryKey: ['notifications'] });
  if (event.type === 'hello') void client.invalidateQueries({ queryKey: ['orders'] });
  if (event.type === 'notification' && concernsOrders(event.notification.type)) {
    void client.invalidateQueries({ queryKey: ['orders'] });
    void client.invalidateQueries({ queryKey: ['payments'] });
  }
}

function concernsOrders(type: string): boolean {
  return /^(purser\.)?(order|payment)\./.test(type);
}
