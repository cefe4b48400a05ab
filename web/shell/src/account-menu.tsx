/** Light or dark, and who one is. */
import { signOut, useSession } from '@purser/api';
import {
  ActionIcon, Avatar, Button, Icon, Link, Menu, Skeleton, Text, UnstyledButton, useComputedColorScheme, useLocation,
  useMantineColorScheme, useNavigate, VisuallyHidden,
} from '@purser/ui';

export function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" aria-label={dark ? 'Use light colours' : 'Use dark colours'}
      onClick={() => setColorScheme(dark ? 'light' : 'dark')}>
      <Icon name={dark ? 'sun' : 'moon'} size={20} />
    </ActionIcon>
  );
}

export function AccountMenu() {
  const session = useSession();
  const navigate = useNavigate();
  const { pathname } = useLocation();
  if (session.status === 'starting') return <Skeleton circle height={36} />;
  if (session.status === 'signed-out') {
    const next = pathname === '/' ? '' : `?next=${encodeURIComponent(pathname)}`;
    return <Button component={Link} to={`/sign-in${next}`} size="sm">Sign in</Button>;
  }
  const leave = () => {
    void signOut();
    navigate('/sign-in');
  };
  return (
    <Menu position="bottom-end" width={220} shadow="md">
      <Menu.Target>
        <UnstyledButton style={{ borderRadius: '50%' }}>
          <VisuallyHidden>Account of {session.user.name}</VisuallyHidden>
          <Avatar name={session.user.name} color="harbor" variant="filled" size={36} alt="" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label><Text fw={600} size="sm" c="var(--mantine-color-text)" truncate>{session.user.name}</Text>{session.user.email}</Menu.Label>
        <Menu.Divider />
        <Menu.Item component={Link} to="/account" leftSection={<Icon name="user" />}>Account</Menu.Item>
        <Menu.Item component={Link} to="/orders" leftSection={<Icon name="box" />}>Orders</Menu.Item>
        <Menu.Item component="a" href="/docs" leftSection={<Icon name="code" />}>API reference</Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="logout" />} onClick={leave}>Sign out</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
