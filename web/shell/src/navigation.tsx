/** Where one can go, by who one is. */
import { useUser } from '@purser/api';
import { Group, Icon, NavLink, Stack, Text } from '@purser/ui';
import type { IconName } from '@purser/ui';

interface Entry { to: string; label: string; icon: IconName; end?: boolean }

const SHOP: Entry = { to: '/', label: 'Shop', icon: 'bag', end: true };
const MINE: Entry[] = [{ to: '/orders', label: 'Orders', icon: 'box' }];
const ADMIN: Entry[] = [
  { to: '/admin/products', label: 'Products', icon: 'receipt' },
  { to: '/admin/users', label: 'Users', icon: 'user' },
  { to: '/functions', label: 'Functions', icon: 'code' },
  { to: '/operations', label: 'Operations', icon: 'flow' },
];

export function Navigation({ vertical = false }: { vertical?: boolean }) {
  const user = useUser();
  const mine = user === null ? [SHOP] : [SHOP, ...MINE];
  const admin = user?.role === 'admin' ? ADMIN : [];
  if (vertical) {
    return (
      <nav aria-label="Main">
        <Stack gap={4}>
          {mine.map((entry) => <Item key={entry.to} {...entry} />)}
          {admin.length > 0 && <Text size="xs" c="dimmed" fw={600} mt="md" px="sm">Administration</Text>}
          {admin.map((entry) => <Item key={entry.to} {...entry} />)}
        </Stack>
      </nav>
    );
  }
  return <nav aria-label="Main"><Group gap={4} wrap="nowrap">{[...mine, ...admin].map((entry) => <Item key={entry.to} {...entry} />)}</Group></nav>;
}

function Item({ to, label, icon, end = false }: Entry) {
  return <NavLink to={to} end={end} className="nav-link"><Icon name={icon} />{label}</NavLink>;
}
