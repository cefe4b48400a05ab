/** A list of notifications in each of its states. */
import { Button, EmptyState, ErrorState, Group, Skeleton, Stack } from '@purser/ui';
import { LoadMore } from '@purser/ui/pages';
import { Entry } from './entry';
import { useMarkAllRead, useMarkRead, useNotifications, useUnreadCount } from './requests';

export function NotificationList({ unread = false, limit = 20, onOpen }: { unread?: boolean; limit?: number; onOpen?: () => void }) {
  const pages = useNotifications({ unread, limit });
  const read = useMarkRead();
  if (pages.isPending) return <Waiting />;
  if (pages.isError) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const items = pages.data.pages.flatMap((page) => page.data);
  if (items.length === 0) {
    return <EmptyState icon="bell" title={unread ? 'All read' : 'Nothing yet'} text="What happens to your orders and payments shows up here, live." />;
  }
  return (
    <Stack gap="sm">
      <Stack component="ul" gap={4} p={0} m={0} style={{ listStyle: 'none' }}>
        {items.map((item) => <Entry key={item.id} item={item} onRead={read.mutate} onOpen={onOpen} />)}
      </Stack>
      <LoadMore pages={pages} />
    </Stack>
  );
}

export function MarkAllButton() {
  const count = useUnreadCount();
  const all = useMarkAllRead();
  return <Button variant="default" size="sm" disabled={count === 0} loading={all.isPending} onClick={() => all.mutate()}>Mark all as read</Button>;
}

function Waiting() {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {[0, 1, 2, 3].map((n) => (
        <Group key={n} wrap="nowrap" px="md" py="sm" align="flex-start">
          <Skeleton circle height={34} /><Stack gap={8} flex={1}><Skeleton height={18} width="55%" /><Skeleton height={14} /><Skeleton height={12} width={90} /></Stack>
        </Group>
      ))}
    </Stack>
  );
}
