/** Everything that happened, or what is still unread. */
import { useState } from 'react';
import { Card, Group, Page, PageHeader } from '@purser/ui';
import { SegmentedControl } from '@purser/ui/pages';
import { MarkAllButton, NotificationList } from './list';

export function HistoryPage() {
  const [show, setShow] = useState<'all' | 'unread'>('all');
  return (
    <Page size="sm">
      <PageHeader title="Notifications" actions={<MarkAllButton />} />
      <Group>
        <SegmentedControl aria-label="Which notifications" value={show} onChange={(value) => setShow(value === 'unread' ? 'unread' : 'all')}
          data={[{ value: 'all', label: 'All' }, { value: 'unread', label: 'Unread' }]} />
      </Group>
      <Card padding="xs"><NotificationList unread={show === 'unread'} /></Card>
    </Page>
  );
}
