/** One notification in a list. Opening it reads it. */
import type { Notification } from '@purser/api';
import { Box, Button, Group, Icon, Link, Stack, Text, ThemeIcon, VisuallyHidden } from '@purser/ui';
import { RelativeTime } from '@purser/ui/pages';
import { localizeMoney } from './localize-money';
import { linkOf, lookOf } from './rules';

export function Entry({ item, onRead, onOpen }: { item: Notification; onRead: (id: string) => void; onOpen?: () => void }) {
  const { icon, color } = lookOf(item.type);
  const to = linkOf(item);
  const title = localizeMoney(item.title);
  const unread = item.read_at === null;
  const open = () => {
    if (unread) onRead(item.id);
    onOpen?.();
  };
  return (
    <Box component="li" className={unread ? 'unread' : undefined} px="md" py="sm" style={{ borderRadius: 10 }} data-unread={unread}>
      <Group align="flex-start" wrap="nowrap" gap="sm">
        <ThemeIcon variant="light" color={color} size="lg" radius="xl"><Icon name={icon} /></ThemeIcon>
        <Stack gap={2} flex={1} miw={0}>
          <Text fw={unread ? 650 : 500} className="prose-line">
            {unread && <VisuallyHidden>Unread: </VisuallyHidden>}
            {to === null ? title : <Link to={to} onClick={open} className="row-link"><span className="row-title">{title}</span></Link>}
          </Text>
          <Text size="sm" c="dimmed" className="prose-line" style={{ whiteSpace: 'pre-line' }}>{localizeMoney(item.body)}</Text>
          <Group gap="sm" mih={26}>
            <Text size="xs" c="dimmed"><RelativeTime time={item.created_at} /></Text>
            {unread && <Button variant="subtle" size="compact-xs" onClick={() => onRead(item.id)}>Mark as read</Button>}
          </Group>
        </Stack>
      </Group>
    </Box>
  );
}
