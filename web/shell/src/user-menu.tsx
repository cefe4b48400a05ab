/** What somebody who is signed in finds under their picture. */
import { signOut } from '@purser/api';
import type { User } from '@purser/api';
import { Avatar, Icon, Link, Text, UnstyledButton, useNavigate, VisuallyHidden } from '@purser/ui';
import { Menu } from '@purser/ui/menu';

export default function UserMenu({ user }: { user: User }) {
  const navigate = useNavigate();
  const leave = () => {
    void signOut();
    navigate('/sign-in');
  };
  return (
    <Menu position="bottom-end" width={220} shadow="md" withInitialFocusPlaceholder={false}>
      <Menu.Target>
        <UnstyledButton style={{ borderRadius: '50%' }}>
          <VisuallyHidden>Account of {user.name}</VisuallyHidden>
          <Avatar name={user.name} color="harbor" variant="filled" size={36} alt="" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label><Text fw={600} size="sm" c="var(--mantine-color-text)" truncate>{user.name}</Text>{user.email}</Menu.Label>
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
