/** Reads and writes of notifications, with their place in the query cache. */
import { api, call } from '@purser/api';
import type { Notification } from '@purser/api';
import { useMutation, useQuery, useQueryClient } from '@purser/ui';
import { useInfiniteQuery } from '@purser/ui/pages';

type Page = { data: Notification[]; next_cursor: string | null };
type Pages = { pages: Page[]; pageParams: unknown[] };

export function useUnreadCount(): number {
  const count = useQuery({
    queryKey: ['unread'],
    queryFn: async () => (await call(api.GET('/api/v1/notifications/unread-count'))).count,
    staleTime: 60_000,
  });
  return count.data ?? 0;
}

/** Newest first: a list without `before` begins with the oldest. */
export function useNotifications(options: { unread?: boolean; limit: number; enabled?: boolean }) {
  const { unread = false, limit, enabled = true } = options;
  return useInfiniteQuery({
    queryKey: ['notifications', { unread, limit }],
    enabled,
    initialPageParam: Number.MAX_SAFE_INTEGER,
    queryFn: ({ pageParam }) => call(api.GET('/api/v1/notifications', {
      params: { query: { limit, before: pageParam, ...(unread ? { unread: true } : {}) } },
    })),
    getNextPageParam: (last) => (last.next_cursor === null ? undefined : last.data.at(-1)?.seq),
  });
}

/** Marks as read at once on the screen, then at the server; a failure brings the truth back. */
export function useMarkRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => call(api.POST('/api/v1/notifications/{id}/read', { params: { path: { id } } })),
    onMutate: (id) => markLocally(client, (item) => item.id === id),
    onError: () => refresh(client),
  });
}

export function useMarkAllRead() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call(api.POST('/api/v1/notifications/read-all')),
    onMutate: () => markLocally(client, () => true),
    onSuccess: () => refresh(client),
    onError: () => refresh(client),
  });
}

type Client = ReturnType<typeof useQueryClient>;

function refresh(client: Client): void {
  void client.invalidateQueries({ queryKey: ['unread'] });
  void client.invalidateQueries({ queryKey: ['notifications'] });
}

/** The unread count follows only for what was read here; for other devices the server says it. */
export function markLocally(client: Client, which: (item: Notification) => boolean, counted = true): void {
  const now = new Date().toISOString();
  const marked = new Set<string>();
  const mark = (item: Notification) => {
    if (item.read_at !== null || !which(item)) return item;
    marked.add(item.id);
    return { ...item, read_at: now };
  };
  client.setQueriesData<Pages>({ queryKey: ['notifications'] }, (old) => old && {
    ...old, pages: old.pages.map((page) => ({ ...page, data: page.data.map(mark) })),
  });
  if (!counted) return;
  client.setQueryData<number>(['unread'], (count) => (count === undefined ? count : Math.max(0, count - marked.size)));
}
