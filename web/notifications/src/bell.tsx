/** The bell: a live number, a panel with the latest, and toasts for what happens now. */
import { useEffect } from 'react';
import { onLive, useLiveConnection } from '@purser/live';
import { ActionIcon, Anchor, Group, Icon, Indicator, Link, Stack, Text, useDisclosure, useQueryClient, VisuallyHidden } from '@purser/ui';
import { Drawer, notifications } from '@purser/ui/pages';
import { localizeMoney } from './localize-money';
import { MarkAllButton, NotificationList } from './list';
import { markLocally, useUnreadCount } from './requests';
import { lookOf } from './rules';

export function Bell() {
  const count = useUnreadCount();
  const [opened, { open, close }] = useDisclosure(false);
  useLiveToasts();
  const label = count === 0 ? 'Notifications' : `Notifications, ${count} unread`;
  return (
    <>
      <Indicator label={count > 99 ? '99+' : count} size={17} offset={5} disabled={count === 0} color="red.8" styles={{ indicator: { pointerEvents: 'none' } }}>
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={open}><Icon name="bell" size={21} /></ActionIcon>
      </Indicator>
      <VisuallyHidden role="status">{count > 0 ? `${count} unread notifications` : ''}</VisuallyHidden>
      <Drawer opened={opened} onClose={close} position="right" size="md" closeButtonProps={{ 'aria-label': 'Close' }}
        title={<Group gap="sm"><Text fw={680} fz="lg">Notifications</Text><LiveDot /></Group>}>
        <Stack pt="xs">
          <Group justify="space-between"><MarkAllButton /><Anchor component={Link} to="/notifications" onClick={close} size="sm">All notifications</Anchor></Group>
          <NotificationList limit={15} onOpen={close} />
        </Stack>
      </Drawer>
    </>
  );
}

function LiveDot() {
  const open = useLiveConnection() === 'open';
  return (
    <Group gap={6}>
      <span style={{ width: 8, height: 8, borderRadius: 4, background: open ? 'var(--mantine-color-harbor-5)' : 'var(--mantine-color-brass-5)' }} />
      <Text size="sm" c="dimmed">{open ? 'Live' : 'Reconnecting'}</Text>
    </Group>
  );
}

/** What arrives while one looks is shown in the visible tab; a wave of it as one line. */
function useLiveToasts(): void {
  const client = useQueryClient();
  useEffect(() => {
    let recent: number[] = [];
    return onLive((event) => {
      if (event.type === 'read') markLocally(client, (item) => event.ids.includes(item.id), false);
      if (event.type === 'read_all') markLocally(client, (item) => item.seq <= event.up_to, false);
      if (event.type !== 'notification' || document.visibilityState !== 'visible') return;
      recent = [...recent.filter((at) => Date.now() - at < 4000), Date.now()];
      const { id, title, body, type } = event.notification;
      if (recent.length > 4) {
        notifications.hide('wave');
        notifications.show({ id: 'wave', title: 'More is happening', message: 'Open the bell to read it all.' });
        return;
      }
      const look = lookOf(type);
      notifications.show({ id, title: localizeMoney(title), message: shorten(localizeMoney(body)), color: look.color, icon: <Icon name={look.icon} />, autoClose: 6000 });
    });
  }, [client]);
}

function shorten(text: string): string {
  const line = text.split('\n')[0] ?? '';
  return line.length > 140 ? `${line.slice(0, 139)}…` : line;
}
